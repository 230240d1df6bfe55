// Making and finding keys by their labels.
#include "cde/keys/hsm_key_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

constexpr Error kNoKey{ErrorCode::not_found,
                       "the HSM lacks a key of vaultd's: `vaultd --init` makes it"};

struct Need {
  std::uint64_t pkcs11::Mechanisms::* number;
  Error lacking;
};
constexpr std::array kNeeds{
    Need{&pkcs11::Mechanisms::aes_key_gen,
         {ErrorCode::invalid_argument, "the HSM lacks CKM_AES_KEY_GEN, which vaultd needs"}},
    Need{&pkcs11::Mechanisms::generic_secret_key_gen,
         {ErrorCode::invalid_argument,
          "the HSM lacks CKM_GENERIC_SECRET_KEY_GEN, which vaultd needs"}},
    Need{&pkcs11::Mechanisms::aes_gcm,
         {ErrorCode::invalid_argument, "the HSM lacks CKM_AES_GCM, which vaultd needs"}},
    Need{&pkcs11::Mechanisms::aes_ecb,
         {ErrorCode::invalid_argument, "the HSM lacks CKM_AES_ECB, which vaultd needs"}},
    Need{&pkcs11::Mechanisms::sha256_hmac,
         {ErrorCode::invalid_argument, "the HSM lacks CKM_SHA256_HMAC, which vaultd needs"}}};

// 0: `label` is not that of a version of `name`.
std::uint32_t version_of(std::string_view label, KeyName name) {
  const std::string of_all = key_label(name, 0);
  const std::string_view prefix(of_all.data(), of_all.size() - 1);
  if (!label.starts_with(prefix)) return 0;
  label.remove_prefix(prefix.size());
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), version);
  return error == std::errc() && end == label.data() + label.size() ? version : 0;
}

Result<std::vector<std::uint32_t>> versions_in(pkcs11::Token& token, KeyName name) {
  SR_TRY(const std::vector<std::string> labels, token.key_labels());
  std::vector<std::uint32_t> versions;
  for (const std::string& label : labels) {
    if (const std::uint32_t version = version_of(label, name)) versions.push_back(version);
  }
  std::ranges::sort(versions);
  return versions;
}

Result<void> make_key(pkcs11::Token& token, KeyName name, std::uint32_t version) {
  const std::string label = key_label(name, version);
  const std::span<const std::byte> id = as_bytes(label);  // as unique as the label
  const auto made = token.generate_secret_key({label, {id.begin(), id.end()}, purpose_of(name)});
  if (!made) return fail(made.error());
  return {};
}

}  // namespace

Result<void> make_first_keys(pkcs11::Token& token, const AroundKey& around) {
  for (const KeyName name : kKeyNames) {
    SR_TRY(const std::vector<std::uint32_t> versions, versions_in(token, name));
    if (!versions.empty()) continue;
    SR_CHECK_OK(around(key_label(name, 1), [&] { return make_key(token, name, 1); }));
  }
  return {};
}

Result<void> check_mechanisms(pkcs11::Token& token) {
  for (const Need& need : kNeeds) {
    SR_TRY(const bool has, token.supports(token.module().mechanisms().*need.number));
    if (!has) return fail(need.lacking);
  }
  return {};
}

Result<void> check_keys(pkcs11::Token& token) {
  SR_TRY(pkcs11::Session session, pkcs11::Session::open(token));
  for (const KeyName name : kKeyNames) {
    SR_TRY(const std::vector<std::uint32_t> versions, versions_in(token, name));
    if (versions.empty()) return fail(kNoKey);
    SR_TRY(const FoundKey found, find_key(token, session, name, versions.back(), false));
    if (name == KeyName::pan_encryption) SR_CHECK_OK(session.opens_its_own(found.handle));
  }
  return {};
}

async::Task<Result<void>> HsmKeyStore::open(KeyRecords records) {
  const std::shared_ptr<const KeySet> known = sets_.latest();
  auto work = [&](pkcs11::Token& token, pkcs11::Session& session) {
    return KeySet::open(token, session, records, known.get(), copy_);
  };
  SR_CO_TRY(std::shared_ptr<const KeySet> next, co_await trips_.run(work));
  if (known && copy_) {
    for (const OpenKey& open : known->keys()) {
      if (next->find(open.key.name, open.key.version) == nullptr) left_.push_back(open.handle);
    }
  }
  sets_.set(std::move(next));
  co_return Result<void>{};
}

async::Task<Result<void>> HsmKeyStore::give_up() {
  if (left_.empty()) co_return Result<void>{};
  auto work = [&](pkcs11::Token& token, pkcs11::Session&) -> Result<void> {
    while (!left_.empty()) {
      const auto destroyed = token.destroy_key(left_.back());
      if (!destroyed && destroyed.error().code() != ErrorCode::gone) return destroyed;
      left_.pop_back();
    }
    return {};
  };
  co_return co_await trips_.run(work);
}

std::int64_t HsmKeyStore::uses_left(KeyName name, std::uint32_t version) const {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  const OpenKey* const open = set ? set->find(name, version) : nullptr;
  return open ? open->uses_left->left() : 0;
}

void HsmKeyStore::add_uses(KeyName name, std::uint32_t version, std::int64_t count) {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  const OpenKey* const open = set ? set->find(name, version) : nullptr;
  if (open != nullptr) open->uses_left->add(count);
}

async::Task<Result<KeyCheckValue>> HsmKeyStore::make(KeyName name, std::uint32_t version) {
  auto work = [&](pkcs11::Token& token, pkcs11::Session& session) -> Result<KeyCheckValue> {
    SR_CHECK_OK(make_key(token, name, version));
    SR_TRY(const FoundKey found, find_key(token, session, name, version, false));
    return found.check_value;
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<void>> HsmKeyStore::destroy(KeyName name, std::uint32_t version) {
  auto work = [&](pkcs11::Token& token, pkcs11::Session&) -> Result<void> {
    const auto handle = token.find_key(key_label(name, version));
    if (!handle && handle.error().code() == ErrorCode::not_found) return {};
    if (!handle) return fail(handle.error());
    return token.destroy_key(*handle);
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<KeyCheckValue>> HsmKeyStore::check_value(KeyName name, std::uint32_t version) {
  auto work = [&](pkcs11::Token& token, pkcs11::Session& session) -> Result<KeyCheckValue> {
    SR_TRY(const FoundKey found, find_key(token, session, name, version, false));
    return found.check_value;
  };
  co_return co_await trips_.run(work);
}

async::Task<Result<std::vector<std::uint32_t>>> HsmKeyStore::versions(KeyName name) {
  auto work = [&](pkcs11::Token& token, pkcs11::Session&) { return versions_in(token, name); };
  co_return co_await trips_.run(work);
}

async::Task<Result<HsmDescription>> HsmKeyStore::describe() {
  auto work = [](pkcs11::Token& token, pkcs11::Session&) -> Result<HsmDescription> {
    SR_CHECK_OK(token.check());
    const pkcs11::ModuleInfo& module = token.module().info();
    const pkcs11::TokenInfo& info = token.info();
    return HsmDescription{.module_manufacturer = module.manufacturer,
                          .module_description = module.description,
                          .module_version = module.library_version,
                          .cryptoki_version = module.cryptoki_version,
                          .token_label = info.label,
                          .token_manufacturer = info.manufacturer,
                          .token_model = info.model,
                          .token_serial = info.serial,
                          .token_hardware_version = info.hardware_version,
                          .token_firmware_version = info.firmware_version};
  };
  co_return co_await trips_.run(work);
}

// The registry is read before any set is open, so its key is found by itself.
async::Task<Result<std::vector<RegistryMac>>> HsmKeyStore::macs(
    std::uint32_t version, std::vector<std::vector<std::byte>> authenticated) {
  const std::shared_ptr<const KeySet> set = sets_.latest();
  const OpenKey* const open = set ? set->find(KeyName::key_registry, version) : nullptr;
  auto work = [&](pkcs11::Token& token,
                  pkcs11::Session& session) -> Result<std::vector<RegistryMac>> {
    std::optional<pkcs11::KeyHandle> handle;
    if (open != nullptr) {
      handle = open->handle;
    } else {
      SR_TRY(const FoundKey found, find_key(token, session, KeyName::key_registry, version, copy_));
      handle = found.handle;
    }
    std::vector<RegistryMac> macs;
    macs.reserve(authenticated.size());
    for (const std::vector<std::byte>& one : authenticated) {
      SR_TRY(const RegistryMac mac, session.hmac_sha256(*handle, one));
      macs.push_back(mac);
    }
    return macs;
  };
  co_return co_await trips_.run(work);
}

}  // namespace strongroom::cde

// Finding keys in the HSM, and comparing them with what the registry says of them.
#include "cde/keys/key_set.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

constexpr Error kUnfit{ErrorCode::permission_denied,
                       "a key in the HSM has another purpose than its name says, or can be read"
                       " out: it was not made by vaultd"};
constexpr Error kOtherKey{ErrorCode::permission_denied,
                          "the HSM's key is not the one that the database was begun with: this is"
                          " another token"};

bool may_be_missing(KeyState state) {
  return state == KeyState::retired || state == KeyState::compromised;
}

}  // namespace

pkcs11::KeyPurpose purpose_of(KeyName name) noexcept {
  return name == KeyName::pan_encryption ? pkcs11::KeyPurpose::aes256_wrap
                                         : pkcs11::KeyPurpose::hmac_sha256;
}

// A label is anybody's who can write to the token; attributes are the HSM's word.
Result<FoundKey> find_key(pkcs11::Token& token, pkcs11::Session& session, KeyName name,
                          std::uint32_t version, bool copy) {
  const std::string label = key_label(name, version);
  SR_TRY(pkcs11::KeyHandle handle, token.find_key(label));
  SR_TRY(const pkcs11::KeyAttributes attributes, token.attributes(handle));
  if (attributes.purpose != purpose_of(name) || !attributes.sensitive || attributes.extractable) {
    log::error("a key in the HSM is not as vaultd makes it", {{"key", label}});
    return fail(kUnfit);
  }
  SR_TRY(const KeyCheckValue check_value, session.check_value(handle));
  if (copy) {
    SR_TRY(handle, token.copy_to_session(handle));
  }
  return FoundKey{handle, check_value};
}

Result<std::shared_ptr<const KeySet>> KeySet::open(pkcs11::Token& token, pkcs11::Session& session,
                                                   const KeyRecords& records, const KeySet* known,
                                                   bool copy) {
  std::vector<OpenKey> keys;
  for (const RegisteredKey& key : records.keys) {
    if (!is_open(key.state)) continue;
    const OpenKey* const before = known ? known->find(key.name, key.version) : nullptr;
    if (before != nullptr) {
      keys.push_back({key, before->handle, before->uses_left});
      continue;
    }
    const auto found = find_key(token, session, key.name, key.version, copy);
    if (!found) {
      const bool missing = found.error().code() == ErrorCode::not_found;
      if (!missing || !may_be_missing(key.state)) {
        log::error("a key is not to be had in the HSM", {{"key", key.label()}});
        return fail(found.error());
      }
      log::error("a retired key is not in the HSM: what is under it does not open",
                 {{"key", key.label()}});
      continue;
    }
    if (found->check_value != key.check_value) {
      log::error("the HSM has another key than was registered", {{"key", key.label()}});
      return fail(kOtherKey);
    }
    keys.push_back({key, found->handle, std::make_shared<UsesLeft>()});
  }
  return std::shared_ptr<const KeySet>(new KeySet(records.revision, std::move(keys)));
}

const OpenKey* KeySet::find(KeyName name, std::uint32_t version) const noexcept {
  const auto found = std::ranges::find_if(keys_, [&](const OpenKey& open) {
    return open.key.name == name && open.key.version == version;
  });
  return found == keys_.end() ? nullptr : &*found;
}

const OpenKey* KeySet::active(KeyName name) const noexcept {
  const auto found = std::ranges::find_if(keys_, [&](const OpenKey& open) {
    return open.key.name == name && open.key.state == KeyState::active;
  });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace strongroom::cde

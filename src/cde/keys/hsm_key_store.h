// HsmKeyStore: KeyStore over PKCS#11; and what `vaultd --init` does with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "cde/keys/hsm_trips.h"
#include "cde/keys/key_set.h"
#include "cde/keys/key_store.h"
#include "cde/keys/registered_key.h"
#include "pkcs11/token.h"

namespace strongroom::cde {

// What stands around the making of a key: it calls `make` once and returns what that does, unless
// it ends the making with an error of its own before.
using AroundKey =
    std::function<Result<void>(std::string_view label, const std::function<Result<void>()>& make)>;

// For `vaultd --init`: makes version 1 of every key of which the token has no version; repeating it
// changes nothing.
[[nodiscard]] Result<void> make_first_keys(
    pkcs11::Token& token,
    const AroundKey& around = [](std::string_view, const auto& make) { return make(); });
// The token offers all that vaultd asks for. invalid_argument: it lacks a mechanism; unavailable.
[[nodiscard]] Result<void> check_mechanisms(pkcs11::Token& token);
// The latest version of each key in the HSM is one of vaultd's, and the HSM opens what it seals
// under that of `pan-encryption`. not_found: run `vaultd --init`; permission_denied: see
// find_key(); unavailable.
[[nodiscard]] Result<void> check_keys(pkcs11::Token& token);

// What is borrowed outlives it.
class HsmKeyStore final : public KeyStore {
 public:
  // `copy`: work with copies as session objects.
  HsmKeyStore(HsmTrips& trips, KeySets& sets, bool copy)
      : trips_(trips), sets_(sets), copy_(copy) {}

  async::Task<Result<void>> open(KeyRecords records) override;
  async::Task<Result<void>> give_up() override;
  std::int64_t uses_left(KeyName name, std::uint32_t version) const override;
  void add_uses(KeyName name, std::uint32_t version, std::int64_t count) override;
  async::Task<Result<KeyCheckValue>> make(KeyName name, std::uint32_t version) override;
  async::Task<Result<void>> destroy(KeyName name, std::uint32_t version) override;
  async::Task<Result<KeyCheckValue>> check_value(KeyName name, std::uint32_t version) override;
  async::Task<Result<std::vector<std::uint32_t>>> versions(KeyName name) override;
  async::Task<Result<std::vector<RegistryMac>>> macs(
      std::uint32_t version, std::vector<std::vector<std::byte>> authenticated) override;
  void hold(bool held) noexcept override { sets_.hold(held); }
  async::Task<Result<HsmDescription>> describe() override;

 private:
  HsmTrips& trips_;
  KeySets& sets_;
  const bool copy_;
  std::vector<pkcs11::KeyHandle> left_;  // copies that are to be given up
};

}  // namespace strongroom::cde

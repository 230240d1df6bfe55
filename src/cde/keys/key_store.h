// KeyStore: vaultd's keys as things in the HSM: made, found, opened; and the MACs of their
// registry. Using them on cards is KeyRing's part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "cde/keys/hsm_description.h"
#include "cde/keys/registered_key.h"

namespace strongroom::cde {

using RegistryMac = std::array<std::byte, 32>;

// Belongs to one Loop. Errors of every call: unavailable, exhausted (too many calls wait).
class KeyStore {
 public:
  virtual ~KeyStore() = default;

  // Opens what `records` has and was not open yet, for all workers of this process, and closes what
  // is not to be open any more, of which give_up() removes the copies. A version that protects
  // nothing new may be missing in the HSM: the log says so, and what is under it does not open.
  // not_found: another one is missing; permission_denied: a key of another purpose, or whose value
  // can leave the HSM, so that it was not made by vaultd, or another key than the one of that name
  // and version that is registered.
  [[nodiscard]] virtual async::Task<Result<void>> open(KeyRecords records) = 0;
  // Removes this process's copies of what it has closed. One that fails is tried again by the next
  // call: until then this process has it.
  [[nodiscard]] virtual async::Task<Result<void>> give_up() = 0;
  // How many uses of an open version for what is new this process may still make, of those that it
  // has reserved in the registry; 0 where it is not open.
  [[nodiscard]] virtual std::int64_t uses_left(KeyName name, std::uint32_t version) const = 0;
  virtual void add_uses(KeyName name, std::uint32_t version, std::int64_t count) = 0;

  // While it is held nothing new is encrypted, by no worker of this process; what is there opens.
  virtual void hold(bool held) noexcept = 0;

  // Makes that version in the HSM. conflict: it has one.
  [[nodiscard]] virtual async::Task<Result<KeyCheckValue>> make(KeyName name,
                                                                std::uint32_t version) = 0;
  // Removes that version from the HSM, for good; nothing is done where it has none. REQUIRES: no
  // vaultd has it open.
  [[nodiscard]] virtual async::Task<Result<void>> destroy(KeyName name, std::uint32_t version) = 0;
  // That of the version there. not_found, permission_denied.
  [[nodiscard]] virtual async::Task<Result<KeyCheckValue>> check_value(KeyName name,
                                                                       std::uint32_t version) = 0;
  // The versions of `name` that the HSM has, in ascending order.
  [[nodiscard]] virtual async::Task<Result<std::vector<std::uint32_t>>> versions(KeyName name) = 0;
  // HMACs under that version of `key-registry`, in one trip. not_found, permission_denied.
  [[nodiscard]] virtual async::Task<Result<std::vector<RegistryMac>>> macs(
      std::uint32_t version, std::vector<std::vector<std::byte>> authenticated) = 0;
  [[nodiscard]] virtual async::Task<Result<HsmDescription>> describe() = 0;
};

}  // namespace strongroom::cde

// RegisteredKey: what is known of one version of a key, without its value; KeyRecords: all that is
// known of vaultd's keys at one moment. Names, algorithms and
// cryptoperiods: design section 5; states: NIST SP 800-57 part 1 rev. 5, section 7.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/hash.h"

namespace strongroom::cde {

// vaultd's keys in the HSM.
enum class KeyName : std::uint8_t {
  pan_encryption,   // KEK: wraps DEKs
  pan_fingerprint,  // finds duplicates
  blind_index,      // searches over sealed columns
  key_registry,     // proves that nobody else has written the registry
};
inline constexpr std::array kKeyNames{KeyName::pan_encryption, KeyName::pan_fingerprint,
                                      KeyName::blind_index, KeyName::key_registry};

// What tells it from another key: three bytes that its HSM computes with it
// (pkcs11::Session::check_value).
using KeyCheckValue = std::array<std::byte, 3>;

enum class KeyState : std::uint8_t {
  pre_active,   // made; not every vaultd has it yet
  active,       // protects what is new
  retired,      // opens or finds what it has protected, and protects nothing new
  compromised,  // as retired, and to be got rid of as soon as nothing stands under it
  withdrawn,    // to be destroyed: each vaultd closes it, and no way leads back
  destroyed,    // no longer in the HSM
};

// What all versions of a key have in common.
struct KeyKind {
  KeyName name;
  std::string_view text;       // "pan-encryption"
  std::string_view algorithm;  // "AES-256"
  std::string_view purpose;    // for people: "wraps the key of each card (DEK)"
  std::int64_t cryptoperiod_us;
};
[[nodiscard]] const KeyKind& kind_of(KeyName name) noexcept;
// invalid_argument: no key of vaultd's has that name.
[[nodiscard]] Result<KeyName> parse_key_name(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_string(KeyState state) noexcept;
[[nodiscard]] Result<KeyState> parse_key_state(std::string_view text) noexcept;
// Whether a version in that state may be used, now or soon, for what is new.
[[nodiscard]] constexpr bool protects_new(KeyState state) noexcept {
  return state == KeyState::pre_active || state == KeyState::active;
}
// Whether a vaultd has a version in that state open.
[[nodiscard]] constexpr bool is_open(KeyState state) noexcept {
  return state != KeyState::withdrawn && state != KeyState::destroyed;
}
// Whether a version may go from one state to the other; never back.
[[nodiscard]] bool may_become(KeyState from, KeyState to) noexcept;
// Its name in the HSM: "strongroom/pan-encryption/1".
[[nodiscard]] std::string key_label(KeyName name, std::uint32_t version);

// A version as the registry has it. Times are microseconds since the Unix epoch.
struct RegisteredKey {
  KeyName name = KeyName::pan_encryption;
  std::uint32_t version = 0;  // from 1
  KeyCheckValue check_value{};
  KeyState state = KeyState::pre_active;
  std::int64_t created_at_us = 0;
  std::optional<std::int64_t> activated_at_us{};
  std::int64_t state_since_us = 0;
  std::int64_t state_revision = 0;   // of the registry, since when it has this state
  std::int64_t cryptoperiod_us = 0;  // from its activation
  // Since when nothing stands under it any more, as a job has counted that came through all cards
  // after it was retired.
  std::optional<std::int64_t> emptied_at_us{};
  // Uses for what is new that somebody may have made: reserved in blocks before they are made, so
  // that a crash counts too many.
  std::uint64_t uses = 0;

  [[nodiscard]] std::string label() const { return key_label(name, version); }
  // What its row's MAC is over (docs/formats/key-registry.md).
  [[nodiscard]] std::vector<std::byte> authenticated() const;
  bool operator==(const RegisteredKey&) const = default;
};

// The registry as it was at one moment.
struct KeyRecords {
  std::int64_t revision = 0;      // one more with each change; 0: nothing is registered yet
  std::uint32_t mac_version = 1;  // of `key-registry`
  // No card goes in whose DEK is under an older version of `pan-encryption`: the statement that
  // inserts cards asks for it, so that also a vaultd that was frozen cannot bring one.
  std::uint32_t kek_floor = 1;
  // Of the ledger of backups (BackupLedger::digest).
  std::optional<crypto::Sha256Digest> ledger{};
  std::vector<RegisteredKey> keys;  // by name, then version

  [[nodiscard]] const RegisteredKey* find(KeyName name, std::uint32_t version) const;
  [[nodiscard]] const RegisteredKey* in_state(KeyName name, KeyState state) const;
  // The highest version ever, also of those that are destroyed; null: none.
  [[nodiscard]] const RegisteredKey* latest(KeyName name) const;
  // Puts `key` in, in place of the same version; since the next revision where its state changes.
  // REQUIRES: it may become so (may_become).
  void put(RegisteredKey key);
};

}  // namespace strongroom::cde

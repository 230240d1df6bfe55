// KeySet: vaultd's keys as one revision of the registry has them, open for use in the HSM. KeySets:
// the latest of them, for all workers of the process. No key value ever reaches this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "cde/keys/registered_key.h"
#include "pkcs11/session.h"
#include "pkcs11/token.h"

namespace strongroom::cde {

// How many uses of a version for what is new this process may still make of those that it has
// reserved in the registry. Thread-safe.
class UsesLeft final {
 public:
  // False: `count` are not left, and none is taken.
  [[nodiscard]] bool take(std::int64_t count) noexcept {
    if (left_.fetch_sub(count, std::memory_order_relaxed) >= count) return true;
    left_.fetch_add(count, std::memory_order_relaxed);
    return false;
  }
  // Of a key whose uses are counted, but have no limit: takes one that may not be there.
  void count() noexcept { left_.fetch_sub(1, std::memory_order_relaxed); }
  void add(std::int64_t count) noexcept { left_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t left() const noexcept { return left_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> left_ = 0;
};

struct OpenKey {
  RegisteredKey key;
  pkcs11::KeyHandle handle;
  std::shared_ptr<UsesLeft> uses_left;
};

// Immutable, thread-safe.
class KeySet final {
 public:
  // Opens what `records` has and `known` (null: nothing) has not, as KeyStore::open does. Blocks.
  [[nodiscard]] static Result<std::shared_ptr<const KeySet>> open(pkcs11::Token& token,
                                                                  pkcs11::Session& session,
                                                                  const KeyRecords& records,
                                                                  const KeySet* known, bool copy);

  [[nodiscard]] std::int64_t revision() const noexcept { return revision_; }
  // Null: it is not in the registry, withdrawn, destroyed, or not in the HSM.
  [[nodiscard]] const OpenKey* find(KeyName name, std::uint32_t version) const noexcept;
  // Null: the registry has none.
  [[nodiscard]] const OpenKey* active(KeyName name) const noexcept;
  [[nodiscard]] const std::vector<OpenKey>& keys() const noexcept { return keys_; }

 private:
  KeySet(std::int64_t revision, std::vector<OpenKey> keys)
      : revision_(revision), keys_(std::move(keys)) {}
  std::int64_t revision_;
  std::vector<OpenKey> keys_;
};

// Thread-safe.
class KeySets final {
 public:
  // Null: nothing is open yet.
  [[nodiscard]] std::shared_ptr<const KeySet> latest() const { return latest_.load(); }
  void set(std::shared_ptr<const KeySet> next) { latest_.store(std::move(next)); }
  // While it is held nothing new is encrypted; what is there opens.
  void hold(bool held) noexcept { held_.store(held, std::memory_order_relaxed); }
  [[nodiscard]] bool held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> held_ = false;
  std::atomic<std::shared_ptr<const KeySet>> latest_;
};

// What a key of that name may do in the HSM.
[[nodiscard]] pkcs11::KeyPurpose purpose_of(KeyName name) noexcept;

// One version of a key as it is found in the HSM.
struct FoundKey {
  pkcs11::KeyHandle handle;
  KeyCheckValue check_value;
};
// Finds it there; with `copy`, to work with as a session object (SoftHSM reads its files on every
// use of a token object). not_found, permission_denied (as KeySet::open), unavailable.
[[nodiscard]] Result<FoundKey> find_key(pkcs11::Token& token, pkcs11::Session& session,
                                        KeyName name, std::uint32_t version, bool copy);

}  // namespace strongroom::cde

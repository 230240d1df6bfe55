// KeyRing: what the vault asks of its keys. They live in the HSM; DEKs pass through in secret
// memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/aead.h"

namespace strongroom::cde {

using Fingerprint = std::array<std::byte, 32>;
using BlindIndex = std::array<std::byte, 32>;

// What the HSM makes of a new card.
struct ProtectedCard {
  Fingerprint fingerprint;
  std::uint32_t fingerprint_version;
  crypto::Sealed wrapped_dek;  // its key version is that of `pan-encryption`
};

// A DEK under whatever version, with the token it is bound to.
struct WrappedDek {
  TokenId token;
  crypto::Sealed wrapped;
};

// KeyRing belongs to one Loop. Errors of every call: unavailable (also before the keys are open,
// and where no use of the active version is left), exhausted (too many calls wait); of those that
// encrypt: sealed (the key registry was altered).
class KeyRing {
 public:
  virtual ~KeyRing() = default;

  // Fingerprints `pan_digits` for `merchant` and wraps `dek` for `token`, in one trip to the HSM.
  // What is borrowed stays valid until the task ends.
  [[nodiscard]] virtual async::Task<Result<ProtectedCard>> protect(
      std::string_view merchant, std::span<const std::byte> pan_digits, const SecretBytes& dek,
      TokenId token) = 0;
  // The DEK in `wrapped`. permission_denied: not this token's, or tampered with; gone: its version
  // of the key is destroyed, or not in the HSM.
  [[nodiscard]] virtual async::Task<Result<SecretBytes>> unwrap(const crypto::Sealed& wrapped,
                                                                TokenId token) = 0;
  // Each DEK under the active version of `pan-encryption`, in one trip to the HSM; an error of its
  // own (those of unwrap) for each that does not open.
  [[nodiscard]] virtual async::Task<Result<std::vector<Result<crypto::Sealed>>>> rewrap(
      std::span<const WrappedDek> deks) = 0;
  // The version of `pan-encryption` under which rewrap() and protect() wrap; 0: not open yet.
  [[nodiscard]] virtual std::uint32_t encryption_version() const = 0;
  // HMAC under `blind-index` of what a sealed column holds.
  [[nodiscard]] virtual async::Task<Result<BlindIndex>> blind_index(std::string_view value) = 0;
  // The version of `blind-index` that blind_index uses.
  [[nodiscard]] virtual std::uint32_t blind_index_version() const = 0;
  // Whether the HSM answered when it was last asked for anything; for /readyz.
  [[nodiscard]] virtual bool hsm_answers() const = 0;
};

}  // namespace strongroom::cde

// Aead seals small secrets for storage with AES-256-GCM; Sealed is the result, and the only form in
// which a secret may be stored: storage takes Sealed, and nothing but a sealing operation makes
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"

namespace strongroom::crypto {

// Sealed is a sealed blob, version 1: `01 | key version u32be | nonce 12 | ciphertext | tag 16`
// (docs/formats/sealed-blob.md). Public bytes: it may be copied, stored and compared. REQUIRES of
// its accessors: not moved from.
class Sealed {
 public:
  static constexpr std::size_t kHeaderSize = 1 + 4 + 12;
  static constexpr std::size_t kOverhead = kHeaderSize + 16;
  static constexpr std::size_t kSizeMax = SecretBytes::kSizeMax + kOverhead;

  // A blob that was read back. corrupt: shorter than kOverhead, longer than kSizeMax, or not
  // version 1. Whether it is authentic shows when it is opened.
  [[nodiscard]] static Result<Sealed> from_stored(std::span<const std::byte> bytes);
  // What a hardware module's AES-256-GCM gave. For the HSM's wrapper only; everything else seals
  // with Aead. invalid_argument: `ciphertext_and_tag` is shorter than a tag or too long.
  [[nodiscard]] static Result<Sealed> from_parts(std::uint32_t key_version,
                                                 std::span<const std::byte, 12> nonce,
                                                 std::span<const std::byte> ciphertext_and_tag);

  // The version of the key that sealed this blob.
  [[nodiscard]] std::uint32_t key_version() const noexcept;
  // Valid while *this lives and is not assigned to.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<const std::byte, 12> nonce() const noexcept;
  [[nodiscard]] std::span<const std::byte> ciphertext_and_tag() const noexcept;

  bool operator==(const Sealed&) const = default;

 private:
  friend class Aead;
  explicit Sealed(std::vector<std::byte> bytes) noexcept : bytes_(std::move(bytes)) {}
  std::vector<std::byte> bytes_;
};

// Aead is one version of an AES-256-GCM key (NIST SP 800-38D) with random 96-bit nonces:
// section 8.3 allows 2^32 messages per key, which nobody counts here: a DEK seals a handful.
// Thread-safe.
class Aead {
 public:
  static constexpr std::size_t kKeySize = 32;
  static constexpr std::size_t kPlaintextSizeMax = SecretBytes::kSizeMax;

  // invalid_argument unless `key` has kKeySize bytes.
  [[nodiscard]] static Result<Aead> create(SecretBytes key, std::uint32_t key_version);

  [[nodiscard]] std::uint32_t key_version() const noexcept { return key_version_; }

  // Seals `plaintext` and binds it to `associated_data` (a Context's bytes), which open must be
  // given again. too_large: either is above kPlaintextSizeMax.
  [[nodiscard]] Result<Sealed> seal(Random& random, std::span<const std::byte> plaintext,
                                    std::span<const std::byte> associated_data) const;

  // The plaintext of `sealed`. not_found: sealed under another key version; permission_denied: the
  // blob, the key or `associated_data` is not what it was sealed with; too_large, exhausted.
  [[nodiscard]] Result<SecretBytes> open(const Sealed& sealed,
                                         std::span<const std::byte> associated_data) const;

 private:
  Aead(SecretBytes key, std::uint32_t key_version) noexcept
      : key_(std::move(key)), key_version_(key_version) {}
  SecretBytes key_;
  std::uint32_t key_version_;
};

}  // namespace strongroom::crypto

// Ed25519 signatures (RFC 8032, pure mode): tickets, checkpoints. Deterministic: no nonce to get
// wrong.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace strongroom::crypto {

using Ed25519PublicKey = std::array<std::byte, 32>;
using Ed25519Signature = std::array<std::byte, 64>;

struct EvpKeyFree {
  void operator()(evp_pkey_st* key) const noexcept;
};

// A private key. It lives in OpenSSL's memory while this object does, and is wiped with it.
// Thread-safe.
class Ed25519Signer {
 public:
  static constexpr std::size_t kSeedSize = 32;

  // The key of `seed` (RFC 8032 section 5.1.5), which is the key's stored form. invalid_argument
  // unless it has kSeedSize bytes.
  [[nodiscard]] static Result<Ed25519Signer> from_seed(const SecretBytes& seed);
  // A new key that ends with this object. For one that is kept: random_secret, store it, from_seed.
  // exhausted.
  [[nodiscard]] static Result<Ed25519Signer> generate(Random& random);

  // REQUIRES: not moved from. About 45 us.
  [[nodiscard]] Ed25519Signature sign(std::span<const std::byte> message) const;
  [[nodiscard]] const Ed25519PublicKey& public_key() const noexcept { return public_key_; }

 private:
  explicit Ed25519Signer(evp_pkey_st* key);
  std::unique_ptr<evp_pkey_st, EvpKeyFree> key_;
  Ed25519PublicKey public_key_;
};

// A public key, parsed once. Thread-safe.
class Ed25519Verifier {
 public:
  // invalid_argument unless `public_key` has 32 bytes. Bytes that are no point on the curve verify
  // nothing.
  [[nodiscard]] static Result<Ed25519Verifier> create(std::span<const std::byte> public_key);

  // True when `signature` is this key's over `message`; false for a signature of any other length
  // and for S >= L (malleable, RFC 8032 section 5.1.7). REQUIRES: not moved from. About 110 us.
  [[nodiscard]] bool verify(std::span<const std::byte> message,
                            std::span<const std::byte> signature) const;

 private:
  explicit Ed25519Verifier(evp_pkey_st* key) noexcept : key_(key) {}
  std::unique_ptr<evp_pkey_st, EvpKeyFree> key_;
};

// The same for a key that is used once.
[[nodiscard]] bool ed25519_verify(std::span<const std::byte> public_key,
                                  std::span<const std::byte> message,
                                  std::span<const std::byte> signature);

}  // namespace strongroom::crypto

// AES-256-GCM itself (NIST SP 800-38D), with the nonce in the caller's hand: internal to crypto,
// whose Aead draws a fresh nonce per message. A nonce used twice under one key gives away both
// plaintexts and the authentication key: nothing outside this module and its tests may include this
// file.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace strongroom::crypto {

inline constexpr std::size_t kGcmKeySize = 32;
inline constexpr std::size_t kGcmNonceSize =
    12;                                         // section 5.2.1.1: other lengths are not supported
inline constexpr std::size_t kGcmTagSize = 16;  // short tags weaken the key (appendix C)
inline constexpr std::size_t kGcmSizeMax = std::size_t{1} << 20;  // of a message, and of its data

// What a message is sealed under; spans live for the call.
struct GcmInput {
  std::span<const std::byte> key;    // kGcmKeySize
  std::span<const std::byte> nonce;  // kGcmNonceSize
  std::span<const std::byte> associated_data;
};

// Writes `ciphertext` (the size of `plaintext`, may be the same memory) and `tag` (kGcmTagSize).
// invalid_argument: a size is wrong; too_large. Thread-safe; keeps no copy of the key.
[[nodiscard]] Result<void> aes256_gcm_seal(const GcmInput& input,
                                           std::span<const std::byte> plaintext,
                                           std::span<std::byte> ciphertext,
                                           std::span<std::byte> tag);

// Writes `plaintext` (the size of `ciphertext`); on failure it holds zeros. permission_denied: the
// tag does not verify; invalid_argument: a size is wrong; too_large. Thread-safe; keeps no copy of
// the key.
[[nodiscard]] Result<void> aes256_gcm_open(const GcmInput& input,
                                           std::span<const std::byte> ciphertext,
                                           std::span<const std::byte> tag,
                                           std::span<std::byte> plaintext);

}  // namespace strongroom::crypto

// Keys from other secrets: HKDF from a key, PBKDF2 from something that a person or a file
// remembers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::crypto {

// The least count for a secret that is kept (OWASP, PBKDF2-HMAC-SHA256, 2023): about 150 ms.
inline constexpr std::uint32_t kPbkdf2IterationsMin = 600'000;
// Below this (NIST SP 800-132 section 5.2) a count is a mistake, whatever it protects.
inline constexpr std::uint32_t kPbkdf2IterationsFloor = 1'000;
// RFC 5869 section 2.3: 255 blocks of SHA-256.
inline constexpr std::size_t kHkdfSizeMax = std::size_t{255} * 32;

// HKDF-SHA256 (RFC 5869), extract and expand: `info` says what the result is for. invalid_argument:
// size is 0 or above kHkdfSizeMax; exhausted. Thread-safe.
[[nodiscard]] Result<SecretBytes> hkdf_sha256(std::span<const std::byte> key,
                                              std::span<const std::byte> salt,
                                              std::span<const std::byte> info, std::size_t size);

// PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2). Slow by design (0.25 us per iteration): never on an io
// thread. invalid_argument: iterations under kPbkdf2IterationsFloor, or size 0; too_large,
// exhausted. Thread-safe.
[[nodiscard]] Result<SecretBytes> pbkdf2_sha256(std::span<const std::byte> password,
                                                std::span<const std::byte> salt,
                                                std::uint32_t iterations, std::size_t size);

}  // namespace strongroom::crypto

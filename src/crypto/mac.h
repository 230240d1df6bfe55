// HMAC-SHA256 (RFC 2104, FIPS 198-1) with keys of our own memory. Keys that live in the HSM sign
// there.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace strongroom::crypto {

using HmacTag = std::array<std::byte, 32>;

// Compare tags with equal_constant_time. Thread-safe; keeps no copy of the key.
[[nodiscard]] HmacTag hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data);

}  // namespace strongroom::crypto

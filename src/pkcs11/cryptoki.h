// Private to src/pkcs11: the Cryptoki C interface and the casts it needs.
#pragma once

#include <p11-kit/pkcs11.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/encoding.h"

namespace strongroom::pkcs11 {

static_assert(sizeof(CK_ULONG) == sizeof(std::uint64_t));

// Cryptoki's byte pointers are not const, even for input.
inline CK_BYTE_PTR bytes_of(std::span<const std::byte> bytes) noexcept {
  return bytes.empty() ? nullptr
                       : reinterpret_cast<CK_BYTE_PTR>(const_cast<std::byte*>(bytes.data()));
}
inline CK_BYTE_PTR bytes_of(std::string_view text) noexcept { return bytes_of(as_bytes(text)); }

}  // namespace strongroom::pkcs11

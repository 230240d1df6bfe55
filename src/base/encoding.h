// Bytes as text and back (RFC 4648), and big-endian integers. Decoders accept the one canonical
// form only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom {

inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] std::string hex(std::span<const std::byte> bytes);  // lower case
// Fills `out`; false unless `text` is exactly out.size() * 2 lower-case hex digits.
[[nodiscard]] bool parse_hex(std::string_view text, std::span<std::byte> out) noexcept;

// Standard alphabet with padding (section 4), and URL-safe without (section 5).
[[nodiscard]] std::string base64(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<std::vector<std::byte>> parse_base64(std::string_view text);
[[nodiscard]] std::string base64url(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<std::vector<std::byte>> parse_base64url(std::string_view text);

// Lower-case base32 (section 6's alphabet) without padding.
[[nodiscard]] std::string base32(std::span<const std::byte> bytes);

void append_u16be(std::vector<std::byte>& out, std::uint16_t value);
void append_u32be(std::vector<std::byte>& out, std::uint32_t value);
void append_u64be(std::vector<std::byte>& out, std::uint64_t value);
void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes);
// REQUIRES: bytes.size() >= 4 (8 for u64).
[[nodiscard]] std::uint32_t read_u32be(std::span<const std::byte> bytes) noexcept;
[[nodiscard]] std::uint64_t read_u64be(std::span<const std::byte> bytes) noexcept;

}  // namespace strongroom

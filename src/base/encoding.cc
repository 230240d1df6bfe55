// RFC 4648 codecs. One bit-packing routine serves base64, base64url and base32.
#include "base/encoding.h"

#include <array>

#include "base/try.h"

namespace strongroom {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

// The value of each lower-case hex digit; above 15 for any other character. A table, because the
// digits of an id follow no pattern that a branch could be predicted by.
constexpr std::array<std::uint8_t, 256> kHexDigits = [] {
  std::array<std::uint8_t, 256> digits;
  digits.fill(16);
  for (std::size_t i = 0; i < kHex.size(); ++i) {
    digits[static_cast<unsigned char>(kHex[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}();

unsigned hex_digit(char c) noexcept { return kHexDigits[static_cast<unsigned char>(c)]; }

std::string pack(std::span<const std::byte> bytes, std::string_view alphabet, unsigned bits) {
  std::string text;
  text.reserve(bytes.size() * 8 / bits + 1);
  std::uint32_t pending = 0;
  unsigned count = 0;
  for (const std::byte byte : bytes) {
    pending = (pending << 8) | std::to_integer<std::uint32_t>(byte);
    count += 8;
    while (count >= bits) {
      count -= bits;
      text.push_back(alphabet[(pending >> count) & ((1U << bits) - 1)]);
    }
  }
  if (count > 0) text.push_back(alphabet[(pending << (bits - count)) & ((1U << bits) - 1)]);
  return text;
}

// Decodes unpadded base64 text; nullopt on a foreign character, an impossible length or stray bits.
std::optional<std::vector<std::byte>> unpack64(std::string_view text, std::string_view alphabet) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t pending = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    pending = (pending << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<std::byte>(pending >> count));
    }
  }
  if ((pending & ((1U << count) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text.push_back(kHex[std::to_integer<unsigned>(byte >> 4)]);
    text.push_back(kHex[std::to_integer<unsigned>(byte & std::byte{15})]);
  }
  return text;
}

bool parse_hex(std::string_view text, std::span<std::byte> out) noexcept {
  if (text.size() != out.size() * 2) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned high = hex_digit(text[2 * i]);
    const unsigned low = hex_digit(text[2 * i + 1]);
    if ((high | low) > 15) return false;
    out[i] = static_cast<std::byte>(high << 4 | low);
  }
  return true;
}

std::string base64(std::span<const std::byte> bytes) {
  std::string text = pack(bytes, kBase64, 6);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::vector<std::byte>> parse_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  return unpack64(text.substr(0, text.size() - padding), kBase64);
}

std::string base64url(std::span<const std::byte> bytes) { return pack(bytes, kBase64Url, 6); }

std::optional<std::vector<std::byte>> parse_base64url(std::string_view text) {
  return unpack64(text, kBase64Url);
}

std::string base32(std::span<const std::byte> bytes) { return pack(bytes, kBase32, 5); }

void append_u16be(std::vector<std::byte>& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value >> 8));
  out.push_back(static_cast<std::byte>(value));
}

void append_u32be(std::vector<std::byte>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::byte>(value >> shift));
}

void append_u64be(std::vector<std::byte>& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::byte>(value >> shift));
}

void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint32_t read_u32be(std::span<const std::byte> bytes) noexcept {
  SR_CHECK(bytes.size() >= 4);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

std::uint64_t read_u64be(std::span<const std::byte> bytes) noexcept {
  return std::uint64_t{read_u32be(bytes)} << 32 | read_u32be(bytes.subspan(4));
}

}  // namespace strongroom

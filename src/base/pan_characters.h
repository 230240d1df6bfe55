// The characters of a text as pan_scan.cc sees them: UTF-8, read leniently, for what looks like a
// card number may stand beside anything.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace strongroom {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_ascii(char c) noexcept { return (static_cast<unsigned char>(c) & 0x80U) == 0; }

// What a character is to the scan. Blanks and dashes join groups of digits as they are typed; marks
// are all other characters that may stand between the groups of one number.
enum class Kind : std::uint8_t { digit, blank, mark, letter };
struct Character {
  Kind kind;
  std::uint32_t value;  // of a digit
  std::size_t size;     // bytes
};

// REQUIRES: at < text.size(), and the byte there is not ASCII. Bytes that are no UTF-8 are marks.
[[nodiscard]] Character wide_character(std::string_view text, std::size_t at) noexcept;

inline constexpr auto kAsciiKinds = [] {
  std::array<Kind, 0x80> kinds{};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const char c = static_cast<char>(i);
    const bool blank = c == ' ' || c == '-' || (c >= '\t' && c <= '\r');
    kinds[i] = is_digit(c)    ? Kind::digit
               : is_letter(c) ? Kind::letter
               : blank        ? Kind::blank
                              : Kind::mark;
  }
  return kinds;
}();

// REQUIRES: at < text.size()
inline Character character_at(std::string_view text, std::size_t at) noexcept {
  const char c = text[at];
  if (!is_ascii(c)) return wide_character(text, at);
  return {kAsciiKinds[static_cast<unsigned char>(c)], static_cast<std::uint32_t>(c - '0'), 1};
}

// Where the first digit at `at` or behind it stands, or the end of `text`.
inline std::size_t next_digit(std::string_view text, std::size_t at) noexcept {
  while (at < text.size()) {
    if (is_digit(text[at])) break;
    if (is_ascii(text[at])) {
      ++at;
      continue;
    }
    const Character character = wide_character(text, at);
    if (character.kind == Kind::digit) break;
    at += character.size;
  }
  return at;
}

}  // namespace strongroom

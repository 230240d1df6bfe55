// What of Unicode matters to a card number. ASCII, which nearly all text is, is in the header.
#include "base/pan_characters.h"

#include <algorithm>

namespace strongroom {
namespace {

struct CodePoints {
  char32_t first;
  char32_t last;
};
// Spaces, characters without width, hyphens and dashes (Unicode 15: Zs, Zl, Zp, Pd, most of Cf).
constexpr std::array kBlanks{
    CodePoints{0xA0, 0xA0},     CodePoints{0xAD, 0xAD},     CodePoints{0x1680, 0x1680},
    CodePoints{0x180E, 0x180E}, CodePoints{0x2000, 0x2015}, CodePoints{0x2028, 0x202F},
    CodePoints{0x205F, 0x2064}, CodePoints{0x2212, 0x2212}, CodePoints{0x3000, 0x3000},
    CodePoints{0xFE58, 0xFE58}, CodePoints{0xFE63, 0xFE63}, CodePoints{0xFEFF, 0xFEFF},
    CodePoints{0xFF0D, 0xFF0D}};
// The zeros of Arabic-Indic (two), Devanagari and full-width digits; one to nine follow each.
constexpr std::array<char32_t, 4> kZeros{0x0660, 0x06F0, 0x0966, 0xFF10};

}  // namespace

Character wide_character(std::string_view text, std::size_t at) noexcept {
  const auto byte = [text](std::size_t i) -> char32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const char32_t lead = byte(at);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (size == 1) return {Kind::mark, 0, 1};
  char32_t code_point = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return {Kind::mark, 0, 1};
    code_point = code_point << 6U | (byte(at + i) & 0x3FU);
  }
  for (const char32_t zero : kZeros) {
    if (code_point >= zero && code_point < zero + 10) {
      return {Kind::digit, static_cast<std::uint32_t>(code_point - zero), size};
    }
  }
  const bool blank = std::ranges::any_of(kBlanks, [code_point](CodePoints range) {
    return code_point >= range.first && code_point <= range.last;
  });
  return {blank ? Kind::blank : Kind::mark, 0, size};
}

}  // namespace strongroom

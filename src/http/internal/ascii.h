// Case without locale: protocol text is ASCII.
#pragma once

#include <algorithm>
#include <string_view>

namespace strongroom::http::internal {

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool equals_lower_case(std::string_view text, std::string_view lower_case) noexcept {
  return text.size() == lower_case.size() && std::ranges::equal(text, lower_case, {}, &to_lower);
}

// True when no byte could end a line or hide from a log: what may go into a field or a target.
constexpr bool is_printable(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace strongroom::http::internal

// SQL put together at compile time: the text stays a literal, which keeps values out of it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace strongroom::storage {

// The parts one after the other, with a closing NUL. Keep it in a constant, to which view() refers.
template <std::size_t... N>
consteval auto join(const char (&... parts)[N]) {
  std::array<char, (... + (N - 1)) + 1> joined{};
  char* end = joined.data();
  ((end = std::copy_n(parts, N - 1, end)), ...);
  return joined;
}

// The text without its NUL.
template <std::size_t N>
constexpr std::string_view view(const std::array<char, N>& text) {
  return {text.data(), N - 1};
}

}  // namespace strongroom::storage

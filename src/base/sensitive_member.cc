// A list of names, compared without case and separators.
#include "base/sensitive_member.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace strongroom {
namespace {

constexpr std::array<std::string_view, 14> kSensitiveNames{
    "cav", "cav2",     "csc",   "cvc",    "cvc2",   "cvv",       "cvv2",
    "pin", "pinblock", "track", "track1", "track2", "trackdata", "securitycode"};
constexpr std::string_view kAmbiguousName = "cid";

bool is_name(std::string_view key, std::string_view name) noexcept {
  for (const char c : key) {
    if (c == '_' || c == '-' || c == ' ' || c == '.') continue;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name.empty() || name.front() != lower) return false;
    name.remove_prefix(1);
  }
  return name.empty();
}

// Three or four digits, and no letters.
bool has_form_of_code(std::string_view value) noexcept {
  std::size_t digits = 0;
  for (const char c : value) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return false;
    if (c >= '0' && c <= '9') ++digits;
  }
  return digits == 3 || digits == 4;
}

}  // namespace

bool is_sensitive_member(std::string_view key, std::string_view value) noexcept {
  return std::ranges::any_of(kSensitiveNames,
                             [key](std::string_view name) { return is_name(key, name); }) ||
         (is_name(key, kAmbiguousName) && has_form_of_code(value));
}

}  // namespace strongroom

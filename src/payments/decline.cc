// The table of decline classes.
#include "payments/decline.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/pan_scan.h"

namespace strongroom::payments {
namespace {

// In the order of the enum, so that a class is its own index.
constexpr auto kNames = std::to_array<std::string_view>(
    {"soft", "hard", "verification_mismatch", "duplicate", "invalid_card", "authentication_needed",
     "rate_limited", "configuration", "processor_error"});
static_assert(kNames.size() == std::to_underlying(DeclineClass::processor_error) + 1);

bool is_code_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

std::string_view name(DeclineClass decline_class) noexcept {
  return kNames[std::to_underlying(decline_class)];
}

std::optional<DeclineClass> parse_decline_class(std::string_view text) noexcept {
  const auto* found = std::ranges::find(kNames, text);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DeclineClass>(found - kNames.begin());
}

bool is_decline_code(std::string_view code) noexcept {
  return !code.empty() && code.size() <= kDeclineCodeBytesMax &&
         std::ranges::all_of(code, is_code_character) && !looks_like_pan(code);
}

}  // namespace strongroom::payments

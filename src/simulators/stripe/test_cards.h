// The documented test cards of Stripe's sandbox, and the ranges around them: an unlisted number of
// such a range with a right check digit is approved, so that load tests have cards enough.
#pragma once

#include <cstdint>
#include <string_view>

#include "simulators/stripe/card.h"

namespace strongroom::simulators::stripe {

struct TestCard {
  std::string_view number;
  CardBehavior behavior{};
  std::string_view funding = "credit";
};

struct TestRange {
  std::string_view bin;  // first six digits
  std::string_view brand;
  std::size_t digits;
};

inline constexpr CardBehavior kApproved{};

// Null for a number that is not listed, or of no test range.
[[nodiscard]] const TestCard* find_test_card(std::string_view number) noexcept;
[[nodiscard]] const TestRange* find_test_range(std::string_view number) noexcept;
// The number behind "pm_card_visa" and its like; empty for any other id.
[[nodiscard]] std::string_view number_of_test_id(std::string_view id) noexcept;

}  // namespace strongroom::simulators::stripe

// ExpiryDate: the month a card is good through.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace strongroom::cde {

// A month of a year from 2000 to 2099; the card is valid to the end of that month.
class ExpiryDate {
 public:
  // invalid_argument outside 1..12 and 2000..2099.
  [[nodiscard]] static Result<ExpiryDate> create(std::int64_t month, std::int64_t year) noexcept;

  [[nodiscard]] int month() const noexcept { return month_; }
  [[nodiscard]] int year() const noexcept { return year_; }
  // True when the month has ended everywhere on earth (UTC-12 ends it last), so that no card is
  // refused that its holder's calendar still calls valid.
  [[nodiscard]] bool has_passed(std::int64_t now_us) const noexcept;

  bool operator==(const ExpiryDate&) const = default;

 private:
  ExpiryDate(int month, int year) noexcept : month_(month), year_(year) {}
  int month_;
  int year_;
};

}  // namespace strongroom::cde

// Expiry dates on the civil calendar.
#include "cde/card/expiry.h"

#include <chrono>

namespace strongroom::cde {

Result<ExpiryDate> ExpiryDate::create(std::int64_t month, std::int64_t year) noexcept {
  if (month < 1 || month > 12 || year < 2000 || year > 2099) {
    return fail({ErrorCode::invalid_argument, "no such month of expiry"});
  }
  return ExpiryDate(static_cast<int>(month), static_cast<int>(year));
}

bool ExpiryDate::has_passed(std::int64_t now_us) const noexcept {
  using namespace std::chrono;
  const year_month_day next{
      (std::chrono::year{year_} / std::chrono::month{static_cast<unsigned>(month_)} + months{1}) /
      day{1}};
  const microseconds end = sys_days{next}.time_since_epoch() + hours{12};
  return now_us >= end.count();
}

}  // namespace strongroom::cde

// The schedule: 1, 2, 4, ... 512, 600 s.
#include "payments/retry.h"

#include <algorithm>

namespace strongroom::payments {
namespace {

constexpr std::int64_t kFirstUs = 1'000'000;
constexpr std::int64_t kLongestUs = 600'000'000;
constexpr std::int64_t kRepeatsFirst = 4;
constexpr std::int64_t kDoublingsMax = 10;  // beyond kLongestUs

}  // namespace

SettleBy settle_by(std::int64_t age_us, std::int64_t tries) noexcept {
  if (age_us < kRepeatWindowUs) {
    return tries >= kRepeatsFirst && tries % 2 == 0 ? SettleBy::confirm : SettleBy::repeat;
  }
  return age_us < kLookUpWindowUs ? SettleBy::look_up : SettleBy::operator_;
}

std::int64_t settle_delay_us(std::int64_t tries, double jitter) noexcept {
  const auto doublings = std::clamp<std::int64_t>(tries, 0, kDoublingsMax);
  const std::int64_t delay = std::min(kFirstUs << doublings, kLongestUs);
  return delay + static_cast<std::int64_t>(static_cast<double>(delay) * 0.25 *
                                           std::clamp(jitter, 0.0, 1.0));
}

}  // namespace strongroom::payments

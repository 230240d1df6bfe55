#include "payments/retry.h"

#include <gtest/gtest.h>

namespace strongroom::payments {
namespace {

TEST(RetryTest, RepeatsThenLooksUpThenLeavesItToAPerson) {
  constexpr std::int64_t kHourUs = 3'600'000'000;
  EXPECT_EQ(settle_by(0, 0), SettleBy::repeat);
  EXPECT_EQ(settle_by(23 * kHourUs - 1, 0), SettleBy::repeat);
  EXPECT_EQ(settle_by(23 * kHourUs, 0), SettleBy::look_up);
  EXPECT_EQ(settle_by(719 * kHourUs - 1, 7), SettleBy::look_up);
  EXPECT_EQ(settle_by(719 * kHourUs, 0), SettleBy::operator_);
}

TEST(RetryTest, LooksUpBetweenRepeatsWhenRepeatsSayNothing) {
  for (const std::int64_t tries : {0, 1, 2, 3, 5, 7}) {
    EXPECT_EQ(settle_by(1, tries), SettleBy::repeat) << tries;
  }
  for (const std::int64_t tries : {4, 6, 100}) {
    EXPECT_EQ(settle_by(1, tries), SettleBy::confirm) << tries;
  }
}

TEST(RetryTest, DelayDoublesUpToTenMinutes) {
  EXPECT_EQ(settle_delay_us(0, 0), 1'000'000);
  EXPECT_EQ(settle_delay_us(1, 0), 2'000'000);
  EXPECT_EQ(settle_delay_us(9, 0), 512'000'000);
  EXPECT_EQ(settle_delay_us(10, 0), 600'000'000);
  EXPECT_EQ(settle_delay_us(1'000'000'000, 0), 600'000'000);
  EXPECT_EQ(settle_delay_us(-1, 0), 1'000'000);
}

TEST(RetryTest, JitterAddsUpToAQuarter) {
  EXPECT_EQ(settle_delay_us(2, 0.5), 4'500'000);
  EXPECT_EQ(settle_delay_us(2, 7.0), 5'000'000);
  EXPECT_EQ(settle_delay_us(2, -1.0), 4'000'000);
}

}  // namespace
}  // namespace strongroom::payments

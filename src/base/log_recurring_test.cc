#include "base/log_recurring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace strongroom::log {
namespace {

constexpr std::int64_t kBegin = 5'000'000;

TEST(LogRecurringTest, AdmitsOneLinePerSecondAndCountsTheOthers) {
  Recurring recurring("refused");
  EXPECT_EQ(recurring.admit(kBegin), std::optional<std::uint64_t>(0));
  EXPECT_EQ(recurring.admit(kBegin), std::nullopt);
  EXPECT_EQ(recurring.admit(kBegin + 999'999), std::nullopt);
  EXPECT_EQ(recurring.admit(kBegin + 1'000'000), std::optional<std::uint64_t>(2));
  EXPECT_EQ(recurring.admit(kBegin + 1'500'000), std::nullopt);
  EXPECT_EQ(recurring.admit(kBegin + 9'000'000), std::optional<std::uint64_t>(1));
  EXPECT_EQ(recurring.admit(kBegin + 99'000'000), std::optional<std::uint64_t>(0));
}

TEST(LogRecurringTest, AdmitsAsManyLinesPerSecondAsItIsTold) {
  Recurring recurring("refused", 3);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(recurring.admit(kBegin + i), std::optional<std::uint64_t>(0));
  EXPECT_EQ(recurring.admit(kBegin + 3), std::nullopt);
  EXPECT_EQ(recurring.admit(kBegin + 999'999), std::nullopt);
  EXPECT_EQ(recurring.admit(kBegin + 1'000'000), std::optional<std::uint64_t>(2));
  EXPECT_EQ(recurring.admit(kBegin + 1'000'001), std::optional<std::uint64_t>(0));
  EXPECT_EQ(recurring.admit(kBegin + 1'000'002), std::optional<std::uint64_t>(0));
  EXPECT_EQ(recurring.admit(kBegin + 1'000'003), std::nullopt);
}

TEST(LogRecurringTest, AFloodIsAFewLines) {
  Recurring recurring("refused");
  testing::internal::CaptureStderr();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1'000; ++i) recurring.warn({{"uid", 7}});
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(R"("event":"refused","uid":7})"), std::string::npos) << text;
  EXPECT_LE(std::ranges::count(text, '\n'), 1 + 2 * seconds.count()) << text;
}

}  // namespace
}  // namespace strongroom::log

#include "loadgen/arrivals.h"

#include <gtest/gtest.h>

#include <vector>

namespace strongroom::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr SteadyTime kStart{std::chrono::seconds(1000)};

std::vector<SteadyTime> take_all_due(Arrivals& arrivals, SteadyTime now) {
  std::vector<SteadyTime> due;
  while (const auto at = arrivals.take_due(now)) due.push_back(*at);
  return due;
}

TEST(ArrivalsTest, FirstIsDueAtOnceAndNoneEarlier) {
  Arrivals arrivals(kStart, kStart + milliseconds(10), 1000);
  EXPECT_EQ(arrivals.take_due(kStart - microseconds(1)), std::nullopt);
  EXPECT_EQ(arrivals.take_due(kStart), kStart);
  EXPECT_EQ(arrivals.take_due(kStart), std::nullopt);
  EXPECT_EQ(arrivals.next(), kStart + milliseconds(1));
}

// A generator that was held up must send all that it missed, each with its own due time.
TEST(ArrivalsTest, LateCallerGetsEveryMissedArrival) {
  Arrivals arrivals(kStart, kStart + milliseconds(100), 1000);
  const auto due = take_all_due(arrivals, kStart + milliseconds(4));
  ASSERT_EQ(due.size(), 5U);
  for (std::size_t i = 0; i < due.size(); ++i) EXPECT_EQ(due[i], kStart + milliseconds(i));
}

TEST(ArrivalsTest, EndsBeforeTheEnd) {
  Arrivals arrivals(kStart, kStart + milliseconds(3), 1000);
  EXPECT_EQ(take_all_due(arrivals, kStart + milliseconds(50)).size(), 3U);
  EXPECT_EQ(arrivals.next(), std::nullopt);
}

TEST(ArrivalsTest, DoesNotDriftAtAnOddRate) {
  Arrivals arrivals(kStart, kStart + std::chrono::seconds(30), 7777);
  const auto due = take_all_due(arrivals, kStart + std::chrono::seconds(30));
  EXPECT_EQ(due.size(), 7777U * 30);
  EXPECT_LT(due[std::size_t{7777} * 20] - (kStart + std::chrono::seconds(20)), microseconds(1));
}

}  // namespace
}  // namespace strongroom::bench

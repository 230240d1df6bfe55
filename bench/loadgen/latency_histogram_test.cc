#include "loadgen/latency_histogram.h"

#include <gtest/gtest.h>

namespace strongroom::bench {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogramTest, EmptyGivesZeros) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(50), nanoseconds{0});
  EXPECT_EQ(histogram.mean(), nanoseconds{0});
  EXPECT_EQ(histogram.max(), nanoseconds{0});
}

TEST(LatencyHistogramTest, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int value = 1; value <= 100; ++value) histogram.record(nanoseconds(value));
  EXPECT_EQ(histogram.percentile(0), nanoseconds{1});
  EXPECT_EQ(histogram.percentile(50), nanoseconds{50});
  EXPECT_EQ(histogram.percentile(99), nanoseconds{99});
  EXPECT_EQ(histogram.percentile(99.1), nanoseconds{100});
  EXPECT_EQ(histogram.percentile(100), nanoseconds{100});
  EXPECT_EQ(histogram.mean(), nanoseconds{50});
}

// One value below the reported one and one above: each bucket's edges, over the whole range.
TEST(LatencyHistogramTest, PercentileIsAtMostASixtyFourthTooHigh) {
  for (std::int64_t value = 1; value < LatencyHistogram::kLatencyMax.count() / 2;
       value += 1 + value / 7) {
    LatencyHistogram histogram;
    histogram.record(nanoseconds(value));
    histogram.record(LatencyHistogram::kLatencyMax);
    const std::int64_t reported = histogram.percentile(50).count();
    EXPECT_GE(reported, value);
    EXPECT_LE(reported, value + value / 64) << value;
  }
}

TEST(LatencyHistogramTest, PercentileNeverExceedsTheMaximum) {
  LatencyHistogram histogram;
  histogram.record(nanoseconds(1'000'003));
  EXPECT_EQ(histogram.percentile(99.9), nanoseconds(1'000'003));
}

TEST(LatencyHistogramTest, ClampsWhatIsOutOfRange) {
  LatencyHistogram histogram;
  histogram.record(nanoseconds(-5));
  histogram.record(LatencyHistogram::kLatencyMax + nanoseconds(1));
  EXPECT_EQ(histogram.percentile(50), nanoseconds{0});
  EXPECT_EQ(histogram.max(), LatencyHistogram::kLatencyMax);
}

TEST(LatencyHistogramTest, MergeAddsUp) {
  LatencyHistogram slow;
  LatencyHistogram fast;
  for (int i = 0; i < 90; ++i) fast.record(nanoseconds(10));
  for (int i = 0; i < 10; ++i) slow.record(nanoseconds(100));
  slow.merge(fast);
  EXPECT_EQ(slow.count(), 100U);
  EXPECT_EQ(slow.percentile(90), nanoseconds{10});
  EXPECT_EQ(slow.percentile(91), nanoseconds{100});
  EXPECT_EQ(slow.mean(), nanoseconds{19});
}

}  // namespace
}  // namespace strongroom::bench

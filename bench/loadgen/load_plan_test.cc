#include "loadgen/load_plan.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "loadgen/report.h"

namespace strongroom::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

Tally some_tally() {
  Tally tally;
  for (int i = 0; i < 8; ++i) tally.latencies.record(microseconds(100));
  tally.statuses = {{201, 8}, {503, 1}};
  tally.failures = {{ErrorCode::unavailable, 1}};
  tally.cards_used = 12;
  return tally;
}

TEST(WindowTest, ContainsItsBeginButNotItsEnd) {
  const SteadyTime begin{seconds(10)};
  const Window window{
      .warmup_begin = begin - seconds(1), .begin = begin, .end = begin + seconds(5)};
  EXPECT_FALSE(window.contains(begin - microseconds(1)));
  EXPECT_TRUE(window.contains(begin));
  EXPECT_FALSE(window.contains(window.end));
}

TEST(TallyTest, ErrorsAreWhatHasNo2xxAnswer) {
  const Tally tally = some_tally();
  EXPECT_EQ(tally.requests(), 10U);
  EXPECT_EQ(tally.errors(), 2U);
}

TEST(TallyTest, MergeAddsCountsAndKeepsTheLargerShareOfCards) {
  Tally sum = some_tally();
  Tally other = some_tally();
  other.cards_used = 13;
  sum.merge(other);
  EXPECT_EQ(sum.requests(), 20U);
  EXPECT_EQ(sum.statuses.at(201), 16U);
  EXPECT_EQ(sum.failures.at(ErrorCode::unavailable), 2U);
  EXPECT_EQ(sum.cards_used, 13U);
}

TEST(ReportTest, JsonCountsOnlyAnswered) {
  const LoadPlan plan{.duration = seconds(2)};
  const LoadResult result{.tally = some_tally(), .own_cpu = microseconds(250), .next_card = 12};
  const auto report = boost::json::parse(report_json(plan, result)).as_object();
  EXPECT_EQ(report.at("requests_per_second"), 4.0);
  EXPECT_EQ(report.at("errors"), 2);
  EXPECT_EQ(report.at("latency_us").at("p99"), 100.0);
  EXPECT_EQ(report.at("statuses").at("503"), 1);
  EXPECT_EQ(report.at("failures").at("unavailable"), 1);
  EXPECT_EQ(report.at("loadgen_cpu_us_per_request"), 25.0);
  EXPECT_TRUE(report.at("rate").is_null());
}

TEST(ReportTest, TextNamesModelAndEveryKindOfAnswer) {
  const LoadPlan plan{.rate = 500.0, .duration = seconds(2)};
  const LoadResult result{.tally = some_tally()};
  const std::string text = report_text(plan, result);
  EXPECT_NE(text.find("open model, 500 requests/s due"), std::string::npos);
  EXPECT_NE(text.find("201: 8 503: 1 unavailable: 1"), std::string::npos);
}

}  // namespace
}  // namespace strongroom::bench

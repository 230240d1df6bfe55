#include "base/metrics.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace strongroom {
namespace {

TEST(MetricsTest, WritesCountersAndGauges) {
  Registry registry;
  registry.counter("requests_total", "Requests.", {{"route", "/a"}}).add();
  registry.counter("requests_total", "Requests.", {{"route", "/b"}}).add(2);
  registry.gauge("queue_length", "Waiting requests.").set(5);
  registry.gauge("queue_length", "Waiting requests.").add(-7);
  EXPECT_EQ(registry.text(),
            "# HELP requests_total Requests.\n"
            "# TYPE requests_total counter\n"
            "requests_total{route=\"/a\"} 1\n"
            "requests_total{route=\"/b\"} 2\n"
            "# HELP queue_length Waiting requests.\n"
            "# TYPE queue_length gauge\n"
            "queue_length -2\n");
}

TEST(MetricsTest, WritesHistogramsInTheirUnit) {
  Registry registry;
  Histogram& histogram = registry.histogram("wait_seconds", "Waiting time.",
                                            {.bounds = {100, 500, 1'000'000}, .per_unit = 1e6});
  for (const std::int64_t us : {0, 500, 501, 1'000'000, 1'000'001}) histogram.observe(us);
  EXPECT_EQ(registry.text(),
            "# HELP wait_seconds Waiting time.\n"
            "# TYPE wait_seconds histogram\n"
            "wait_seconds_count 5\n"
            "wait_seconds_sum 2.001002\n"
            "wait_seconds_bucket{le=\"0.0001\"} 1\n"
            "wait_seconds_bucket{le=\"0.0005\"} 2\n"
            "wait_seconds_bucket{le=\"1\"} 4\n"
            "wait_seconds_bucket{le=\"+Inf\"} 5\n");
}

TEST(MetricsTest, GivesTheSameHandleAgain) {
  Registry registry;
  Counter& a = registry.counter("a_total", "A.", {{"x", "1"}});
  EXPECT_EQ(&registry.counter("a_total", "Another sentence.", {{"x", "1"}}), &a);
  EXPECT_NE(&registry.counter("a_total", "A.", {{"x", "2"}}), &a);
  Histogram& h = registry.histogram("h", "H.", batch_buckets());
  EXPECT_EQ(&registry.histogram("h", "H.", duration_buckets_us()), &h);
  EXPECT_EQ(h.buckets().bounds.back(), 1024);
}

TEST(MetricsTest, MasksCardNumbersInLabels) {
  Registry registry;
  registry.counter("a_total", "A.", {{"x", "4242424242424242"}}).add();
  EXPECT_NE(registry.text().find("a_total{x=\"****************\"} 1"), std::string::npos);
}

TEST(MetricsTest, CountsFromManyThreads) {
  Registry registry;
  Counter& counter = registry.counter("a_total", "A.");
  Histogram& histogram = registry.histogram("h", "H.", {.bounds = {1}});
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.add();
        histogram.observe(i % 3);
        if (i % 1000 == 0) static_cast<void>(registry.text());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(counter.value(), 40'000U);
  EXPECT_EQ(histogram.count(0) + histogram.count(1), 40'000U);
}

TEST(MetricsDeathTest, AbortsOnNamesThatCannotBe) {
  Registry registry;
  static_cast<void>(registry.counter("a_total", "A."));
  EXPECT_DEATH(static_cast<void>(registry.counter("a-total", "A.")), "check failed");
  EXPECT_DEATH(static_cast<void>(registry.gauge("a_total", "A.")), "check failed");
  EXPECT_DEATH(Histogram({.bounds = {}}), "check failed");
  EXPECT_DEATH(Histogram({.bounds = {2, 1}}), "check failed");
}

}  // namespace
}  // namespace strongroom

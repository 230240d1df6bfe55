// Counters, gauges and histograms for /metrics, in the Prometheus text format. A part of the
// program asks the Registry once for its handles and keeps them; counting is then one or two
// relaxed atomic additions.
//
//   Counter& tokens = registry.counter("strongroom_tokens_created_total", "Tokens created.");
//   tokens.add();
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strongroom {

// Counter only grows. Thread-safe. A cache line of its own, so that counters of two threads do not
// meet.
class alignas(64) Counter {
 public:
  void add(std::uint64_t count = 1) noexcept { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Gauge is a level that rises and falls. Thread-safe.
class alignas(64) Gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t change) noexcept { value_.fetch_add(change, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Buckets are the upper bounds (included, ascending) of a histogram in the unit that is observed,
// and how many such units are one of the unit that the name of the metric promises (a quotient is
// shown as 0.0001, where a product with 1e-6 would be 9.99...e-05).
struct Buckets {
  std::vector<std::int64_t> bounds;
  double per_unit = 1;
};
// For durations observed in microseconds and shown in seconds: 50 us to 10 s.
[[nodiscard]] Buckets duration_buckets_us();
// For counts of things taken together: 1 to 1,024 by powers of two.
[[nodiscard]] Buckets batch_buckets();

// Histogram counts observations by size. Thread-safe; a scrape that runs meanwhile may miss the
// newest.
class alignas(64) Histogram {
 public:
  // REQUIRES: bounds ascend and are not empty.
  explicit Histogram(Buckets buckets);
  void observe(std::int64_t value) noexcept;

  [[nodiscard]] const Buckets& buckets() const noexcept { return buckets_; }
  // Observations in bucket `i`; index bounds.size() is the bucket above the last bound.
  [[nodiscard]] std::uint64_t count(std::size_t i) const noexcept {
    return counts_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

 private:
  Buckets buckets_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<std::int64_t> sum_{0};
};

// Label values come from a fixed set of the program, never from a request: each new one is a new
// series.
using Labels = std::map<std::string, std::string>;

// Registry owns the metrics of a process. Thread-safe. A handle lives as long as its registry;
// asking again with the same name and labels gives the same one.
class Registry {
 public:
  // REQUIRES for all three: `name` and the label names are Prometheus names, `name` is always asked
  // for with the same kind. `help` is a sentence; the first one given stands.
  [[nodiscard]] Counter& counter(std::string_view name, std::string_view help,
                                 const Labels& labels = {});
  [[nodiscard]] Gauge& gauge(std::string_view name, std::string_view help,
                             const Labels& labels = {});
  // `buckets` of the first call stand.
  [[nodiscard]] Histogram& histogram(std::string_view name, std::string_view help,
                                     const Buckets& buckets, const Labels& labels = {});

  // All metrics in the text format 0.0.4. Label values that look like card numbers are masked.
  [[nodiscard]] std::string text() const;

 private:
  template <class Metric>
  struct Family {
    std::string help;
    std::map<Labels, std::unique_ptr<Metric>> metrics;
  };
  template <class Metric>
  using Families = std::map<std::string, Family<Metric>, std::less<>>;

  template <class Metric, class... Args>
  Metric& find_or_add(Families<Metric>& families, std::string_view name, std::string_view help,
                      const Labels& labels, const Args&... args);

  mutable std::mutex mutex_;
  Families<Counter> counters_;
  Families<Gauge> gauges_;
  Families<Histogram> histograms_;
};

}  // namespace strongroom

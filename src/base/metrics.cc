// prometheus-cpp writes the exposition format; its own metric types lock a mutex per observation,
// so they are not used.
#include "base/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom {
namespace {

void write_value(const Counter& counter, prometheus::ClientMetric& out) {
  out.counter.value = static_cast<double>(counter.value());
}

void write_value(const Gauge& gauge, prometheus::ClientMetric& out) {
  out.gauge.value = static_cast<double>(gauge.value());
}

void write_value(const Histogram& histogram, prometheus::ClientMetric& out) {
  const auto& [bounds, per_unit] = histogram.buckets();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    below += histogram.count(i);
    out.histogram.bucket.push_back({below, static_cast<double>(bounds[i]) / per_unit});
  }
  below += histogram.count(bounds.size());
  out.histogram.bucket.push_back({below, std::numeric_limits<double>::infinity()});
  out.histogram.sample_count = below;
  out.histogram.sample_sum = static_cast<double>(histogram.sum()) / per_unit;
}

template <class Families>
void collect(const Families& families, prometheus::MetricType type,
             std::vector<prometheus::MetricFamily>& out) {
  for (const auto& [name, family] : families) {
    prometheus::MetricFamily& to = out.emplace_back();
    to.name = name;
    to.help = family.help;
    to.type = type;
    for (const auto& [labels, metric] : family.metrics) {
      prometheus::ClientMetric& sample = to.metric.emplace_back();
      for (const auto& [label, value] : labels) sample.label.push_back({label, mask_pans(value)});
      write_value(*metric, sample);
    }
  }
}

}  // namespace

Buckets duration_buckets_us() {
  return {.bounds = {50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000, 20'000, 50'000, 100'000,
                     200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000},
          .per_unit = 1e6};
}

Buckets batch_buckets() { return {.bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}}; }

Histogram::Histogram(Buckets buckets)
    : buckets_(std::move(buckets)), counts_(buckets_.bounds.size() + 1) {
  SR_CHECK(!buckets_.bounds.empty() && std::ranges::is_sorted(buckets_.bounds));
}

void Histogram::observe(std::int64_t value) noexcept {
  const auto bucket = std::ranges::lower_bound(buckets_.bounds, value) - buckets_.bounds.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

template <class Metric, class... Args>
Metric& Registry::find_or_add(Families<Metric>& families, std::string_view name,
                              std::string_view help, const Labels& labels, const Args&... args) {
  const std::scoped_lock lock(mutex_);
  SR_CHECK(prometheus::CheckMetricName(std::string(name)));
  const auto kinds = counters_.count(name) + gauges_.count(name) + histograms_.count(name);
  SR_CHECK(kinds == families.count(name));  // one name, one kind
  Family<Metric>& family = families[std::string(name)];
  if (family.help.empty()) family.help = help;
  std::unique_ptr<Metric>& metric = family.metrics[labels];
  if (metric == nullptr) metric = std::make_unique<Metric>(args...);
  return *metric;
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_add(counters_, name, help, labels);
}
Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_add(gauges_, name, help, labels);
}
Histogram& Registry::histogram(std::string_view name, std::string_view help, const Buckets& buckets,
                               const Labels& labels) {
  return find_or_add(histograms_, name, help, labels, buckets);
}

std::string Registry::text() const {
  std::vector<prometheus::MetricFamily> families;
  {
    const std::scoped_lock lock(mutex_);
    collect(counters_, prometheus::MetricType::Counter, families);
    collect(gauges_, prometheus::MetricType::Gauge, families);
    collect(histograms_, prometheus::MetricType::Histogram, families);
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace strongroom

// The arithmetic of buckets: the leading bit of a value chooses the power of two, the six bits
// behind it the bucket.
#include "loadgen/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace strongroom::bench {

using std::chrono::nanoseconds;

std::size_t LatencyHistogram::bucket_of(std::uint64_t value) noexcept {
  constexpr std::uint64_t kLinear = std::uint64_t{1} << kLinearBits;
  if (value < kLinear) return value;
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - (kLinearBits + 1);
  return (std::size_t{shift} << kLinearBits) + (value >> shift);
}

std::uint64_t LatencyHistogram::upper_end(std::size_t bucket) noexcept {
  constexpr std::uint64_t kLinear = std::uint64_t{1} << kLinearBits;
  if (bucket < 2 * kLinear) return bucket;
  const std::size_t shift = (bucket >> kLinearBits) - 1;
  const std::uint64_t leading = bucket - (shift << kLinearBits);
  return ((leading + 1) << shift) - 1;
}

void LatencyHistogram::record(nanoseconds latency) noexcept {
  const nanoseconds value = std::clamp(latency, nanoseconds{0}, kLatencyMax);
  ++counts_[bucket_of(static_cast<std::uint64_t>(value.count()))];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void LatencyHistogram::merge(const LatencyHistogram& other) noexcept {
  std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus{});
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

nanoseconds LatencyHistogram::percentile(double percent) const noexcept {
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(max_, nanoseconds(upper_end(bucket)));
  }
  return max_;
}

nanoseconds LatencyHistogram::mean() const noexcept {
  return count_ == 0 ? nanoseconds{0} : sum_ / static_cast<std::int64_t>(count_);
}

}  // namespace strongroom::bench

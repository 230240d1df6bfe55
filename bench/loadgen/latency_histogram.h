// LatencyHistogram: how long requests took, in buckets narrow enough for the tail. Fixed memory and
// one increment per value, so that counting does not disturb what is measured.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace strongroom::bench {

// Values below 128 ns have a bucket each; above, every power of two is cut into 64 buckets, so a
// percentile is at most 1/64 too high (the scheme of HdrHistogram). Not thread-safe: one per
// thread, merged at the end.
class LatencyHistogram {
 public:
  // Counts one value; negative ones as 0, those above kLatencyMax as kLatencyMax.
  void record(std::chrono::nanoseconds latency) noexcept;
  void merge(const LatencyHistogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // The value that `percent` (0 to 100) of the counted ones do not exceed: its bucket's upper end,
  // but never more than max(). Zero when nothing was counted.
  [[nodiscard]] std::chrono::nanoseconds percentile(double percent) const noexcept;
  [[nodiscard]] std::chrono::nanoseconds max() const noexcept { return max_; }
  [[nodiscard]] std::chrono::nanoseconds mean() const noexcept;

  static constexpr std::chrono::nanoseconds kLatencyMax{(std::int64_t{1} << 40) - 1};  // 18 minutes

 private:
  static constexpr unsigned kLinearBits = 6;
  static constexpr std::size_t kBuckets = (40 - kLinearBits + 1) << kLinearBits;
  static std::size_t bucket_of(std::uint64_t value) noexcept;
  static std::uint64_t upper_end(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds sum_{0};
  std::chrono::nanoseconds max_{0};
};

}  // namespace strongroom::bench

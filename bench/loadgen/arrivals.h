// Arrivals: when the requests of an open model are due, on a fixed schedule that does not wait for
// answers. Latency counted from these times has no coordinated omission: a stalled server is
// charged for every request that should have been sent meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace strongroom::bench {

using SteadyTime = std::chrono::steady_clock::time_point;

class Arrivals {
 public:
  // Arrivals `first`, `first` + 1 / `rate_per_second`, ... before `end`. The n-th is computed from
  // n, so the schedule does not drift. REQUIRES: rate_per_second > 0.
  Arrivals(SteadyTime first, SteadyTime end, double rate_per_second) noexcept
      : first_(first), end_(end), period_ns_(1e9 / rate_per_second) {}

  // The time of the next arrival; none when the schedule is over.
  [[nodiscard]] std::optional<SteadyTime> next() const noexcept {
    const SteadyTime at = first_ + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                       static_cast<double>(taken_) * period_ns_));
    return at < end_ ? std::optional(at) : std::nullopt;
  }
  // Takes the next arrival when it is due at `now`.
  [[nodiscard]] std::optional<SteadyTime> take_due(SteadyTime now) noexcept {
    const std::optional<SteadyTime> at = next();
    if (!at || *at > now) return std::nullopt;
    ++taken_;
    return at;
  }

 private:
  SteadyTime first_;
  SteadyTime end_;
  double period_ns_;
  std::uint64_t taken_ = 0;
};

}  // namespace strongroom::bench

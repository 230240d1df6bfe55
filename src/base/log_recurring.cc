// Whoever begins a second writes its first line: no lock, and one winner.
#include "base/log_recurring.h"

#include <chrono>

namespace strongroom::log {
namespace {

constexpr std::int64_t kIntervalUs = 1'000'000;

}  // namespace

std::optional<std::uint64_t> Recurring::admit(std::int64_t now_us) noexcept {
  std::int64_t next_us = next_us_.load(std::memory_order_relaxed);
  if (now_us >= next_us && next_us_.compare_exchange_strong(next_us, now_us + kIntervalUs)) {
    asked_.store(1, std::memory_order_relaxed);
    return left_out_.exchange(0, std::memory_order_relaxed);
  }
  if (asked_.fetch_add(1, std::memory_order_relaxed) < per_second_) return 0;
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void Recurring::warn(Fields fields) noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto before = admit(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  if (!before) return;
  if (*before > 0) log::warn("left out", {{"of", event_.text()}, {"lines", *before}});
  log::warn(event_, fields);
}

}  // namespace strongroom::log

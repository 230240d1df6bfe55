// Recurring: a warning that somebody outside can cause as often as he likes. Of such an event the
// log holds a few lines a second, so that nobody fills the disk, or hides other lines, at will.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/log.h"

namespace strongroom::log {

class Recurring {
 public:
  // `event` is the line's; `per_second` is at least 1, and threads that meet may write one more.
  explicit constexpr Recurring(Name event, std::uint64_t per_second = 1) noexcept
      : event_(event), per_second_(per_second) {}

  // Writes a warning, unless per_second_ were written within this second. Lines that were left out
  // are counted in a line of their own, "left out", when the next second's first one is written.
  // Thread-safe.
  void warn(Fields fields = {}) noexcept;

  // The decision behind it: how many were left out before the line that may be written now; empty
  // when it is left out, too. `now_us` is from a clock that does not go back.
  [[nodiscard]] std::optional<std::uint64_t> admit(std::int64_t now_us) noexcept;

 private:
  Name event_;
  std::uint64_t per_second_;
  std::atomic<std::int64_t> next_us_{0};  // when the next second may begin
  std::atomic<std::uint64_t> asked_{0};   // in this second
  std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace strongroom::log

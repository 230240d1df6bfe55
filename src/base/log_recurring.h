// Recurring: a warning that somebody outside can cause as often as he likes. Of such an event the
// log holds one line a second, so that nobody fills the disk, or hides other lines, at will.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/log.h"

namespace strongroom::log {

class Recurring {
 public:
  // Thread-safe; `event` is the line's.
  explicit constexpr Recurring(Name event) noexcept : event_(event) {}

  // Writes a warning, unless one was written within the last second. Lines that were left out since
  // are counted in a line of their own, "left out", when the next one is written. Thread-safe.
  void warn(Fields fields = {}) noexcept;

  // The decision behind it: how many were left out before the line that may be written now; empty
  // when it is left out, too. `now_us` is from a clock that does not go back.
  [[nodiscard]] std::optional<std::uint64_t> admit(std::int64_t now_us) noexcept;

 private:
  Name event_;
  std::atomic<std::int64_t> next_us_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace strongroom::log

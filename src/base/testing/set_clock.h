// SetClock: a Clock that stands where a test sets it.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace strongroom::testing {

class SetClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now; }
  std::int64_t now = 1'795'300'000'000'000;  // in 2026
};

}  // namespace strongroom::testing

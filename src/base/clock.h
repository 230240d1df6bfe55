// Clock: the wall clock by constructor, so that tests can set it. Times are microseconds since the
// Unix epoch, UTC; at interfaces they are RFC 3339 text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::int64_t now_us() const = 0;
};

// The system's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override;
};

// RFC 3339 in UTC with milliseconds: 2026-11-21T22:00:00.123Z.
[[nodiscard]] std::string rfc3339(std::int64_t unix_us);
// Microseconds of an RFC 3339 time with `Z` or a numeric offset; invalid_argument.
[[nodiscard]] Result<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace strongroom

// Faults on demand: what a processor that fails, or the network before it, does to a request. Tests
// ask for them by path; nothing fails by chance.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/problem.h"

namespace strongroom::simulators {

enum class FaultKind : std::uint8_t {
  timeout,     // no answer; the connection stays open
  reset,       // no answer; the connection is reset
  status_500,  // "500": the API fails; it is its answer for good, also to a repetition
  status_503,  // "503": something before the API fails; a repetition gets through
  garbage,     // an answer that is not JSON
  huge,        // the right answer, and 10 MB of blanks behind it
  slow,        // the answer after `delay_ms`
  other_id,    // the answer of another payment
  decline,     // the issuer declines with `decline_code`
};

// FaultTime says whether the request's effect happens all the same.
enum class FaultTime : std::uint8_t { before_effect, after_effect };

struct Fault {
  std::string path;  // "/v1/payment_intents/*/capture": '*' is one segment
  FaultKind kind = FaultKind::timeout;
  FaultTime when = FaultTime::after_effect;
  unsigned count = 1;  // of requests that it still meets
  std::chrono::milliseconds delay{0};
  std::string decline_code{};
};

// {"path","kind","when"?,"count"?,"delay_ms"?,"decline_code"?}: `when` is "after_effect" unless it
// is said, and cannot be "before_effect" for huge, other_id and decline. Problems as
// ObjectReader's.
[[nodiscard]] std::expected<Fault, wire::Problem> parse_fault(std::span<const std::byte> body);

// FaultPlan holds the faults that are to come. One thread at a time.
class FaultPlan {
 public:
  static constexpr std::size_t kFaultsMax = 100;

  // exhausted: kFaultsMax are waiting.
  [[nodiscard]] Result<void> add(Fault fault);
  // The oldest fault that fits `path`, used once.
  [[nodiscard]] std::optional<Fault> take(std::string_view path);
  // Forgets all; the number of requests that would still have met one.
  std::size_t clear() noexcept;

 private:
  std::vector<Fault> faults_;
};

}  // namespace strongroom::simulators

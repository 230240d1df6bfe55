// ConnectorMetrics: what became of each thing asked of the processor, and how long it took.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/metrics.h"
#include "payments/operation.h"

namespace strongroom::cde {

// What connectord asks of a processor.
enum class ProcessorCall : std::uint8_t {
  authorize,
  sale,
  capture,
  void_,
  refund,
  look_up,
  store,
  remove,
};

// Made once, thread-safe.
class ConnectorMetrics {
 public:
  ConnectorMetrics(Registry& registry, std::string_view connector);

  // `outcome`: none when nothing was sent.
  void count(ProcessorCall call, std::optional<payments::OperationOutcome> outcome,
             std::chrono::steady_clock::duration took) noexcept;

 private:
  static constexpr std::size_t kCalls = 8;
  static constexpr std::size_t kOutcomes = 5;  // and "not_sent"
  std::array<std::array<Counter*, kOutcomes>, kCalls> counters_{};
  std::array<Histogram*, kCalls> durations_{};
};

}  // namespace strongroom::cde

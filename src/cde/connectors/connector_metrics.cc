#include "cde/connectors/connector_metrics.h"

#include <string>
#include <utility>

namespace strongroom::cde {
namespace {

constexpr std::array<std::string_view, 8> kCallNames{"authorize", "sale",    "capture", "void",
                                                     "refund",    "look_up", "store",   "remove"};
constexpr std::array<std::string_view, 5> kOutcomeNames{"approved", "declined", "failed", "unknown",
                                                        "not_sent"};
static_assert(kCallNames.size() == std::to_underlying(ProcessorCall::remove) + 1);
static_assert(kOutcomeNames.size() == std::to_underlying(payments::OperationOutcome::unknown) + 2);

}  // namespace

ConnectorMetrics::ConnectorMetrics(Registry& registry, std::string_view connector) {
  for (std::size_t call = 0; call < kCalls; ++call) {
    Labels labels{{"connector", std::string(connector)}, {"call", std::string(kCallNames[call])}};
    durations_[call] = &registry.histogram("strongroom_processor_seconds",
                                           "Time until the processor has answered, or not.",
                                           duration_buckets_us(), labels);
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      labels["outcome"] = kOutcomeNames[outcome];
      counters_[call][outcome] =
          &registry.counter("strongroom_processor_calls_total",
                            "Requests to the processor by their outcome.", labels);
    }
  }
}

void ConnectorMetrics::count(ProcessorCall call, std::optional<payments::OperationOutcome> outcome,
                             std::chrono::steady_clock::duration took) noexcept {
  const std::size_t row = std::to_underlying(call);
  const std::size_t column = outcome ? std::to_underlying(*outcome) : kOutcomes - 1;
  counters_[row][column]->add();
  durations_[row]->observe(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

}  // namespace strongroom::cde

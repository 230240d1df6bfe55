// Names of operations and outcomes, in the order of the enums.
#include "payments/operation.h"

#include <algorithm>
#include <array>
#include <utility>

namespace strongroom::payments {
namespace {

constexpr auto kOperations =
    std::to_array<std::string_view>({"authorize", "sale", "capture", "void", "refund"});
static_assert(kOperations.size() == std::to_underlying(Operation::refund) + 1);

constexpr auto kOutcomes =
    std::to_array<std::string_view>({"approved", "declined", "failed", "unknown"});
static_assert(kOutcomes.size() == std::to_underlying(OperationOutcome::unknown) + 1);

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names,
                          std::string_view text) noexcept {
  const auto* found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view name(Operation operation) noexcept {
  return kOperations[std::to_underlying(operation)];
}
std::optional<Operation> parse_operation(std::string_view text) noexcept {
  return parse<Operation>(kOperations, text);
}
std::string_view name(OperationOutcome outcome) noexcept {
  return kOutcomes[std::to_underlying(outcome)];
}
std::optional<OperationOutcome> parse_operation_outcome(std::string_view text) noexcept {
  return parse<OperationOutcome>(kOutcomes, text);
}

}  // namespace strongroom::payments

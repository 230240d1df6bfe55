// Operation: what is asked of a processor, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strongroom::payments {

enum class Operation : std::uint8_t {
  authorize,  // holds the amount on the card
  sale,       // authorize and capture in one
  capture,    // takes the amount held, or a part; the rest is released
  void_,      // releases the amount held
  refund,     // gives back what was taken, or a part
};

enum class OperationOutcome : std::uint8_t {
  approved,
  declined,  // by issuer or processor, with a Decline
  failed,    // nothing happened, and the same request will not succeed later either
  unknown,   // the answer was lost: it may have happened
};

[[nodiscard]] std::string_view name(Operation operation) noexcept;  // "authorize", "void"
[[nodiscard]] std::optional<Operation> parse_operation(std::string_view text) noexcept;
[[nodiscard]] std::string_view name(OperationOutcome outcome) noexcept;  // "approved"
[[nodiscard]] std::optional<OperationOutcome> parse_operation_outcome(
    std::string_view text) noexcept;

}  // namespace strongroom::payments

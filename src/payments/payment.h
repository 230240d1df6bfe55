// Payment: the state machine of one payment, as pure functions over a value. It holds, whatever
// processors and networks do: refunded <= captured <= amount; one capture per authorization, whose
// rest is released; one operation at a time, and none beside one whose outcome is not known.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "payments/operation.h"
#include "wire/problem.h"

namespace strongroom::payments {

// Stage is where a payment stands when nothing is under way. `none`: its first operation has not
// come to an end yet.
enum class Stage : std::uint8_t {
  none,
  authorized,
  captured,
  partially_captured,
  voided,
  partially_refunded,
  refunded,
  declined,
  failed,
};
[[nodiscard]] std::string_view name(Stage stage) noexcept;  // "partially_captured"
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view text) noexcept;

// OpenOperation is what was asked of the processor and is not settled.
struct OpenOperation {
  Operation operation = Operation::authorize;
  std::int64_t amount = 0;
  bool lost = false;  // the answer was lost: `unknown`; else none came yet: `pending`
  bool operator==(const OpenOperation&) const = default;
};

// Amounts are minor units of the payment's one currency.
struct Payment {
  std::int64_t amount = 0;  // what was asked for at first
  std::int64_t captured = 0;
  std::int64_t refunded = 0;
  Stage stage = Stage::none;
  std::optional<OpenOperation> open{};
  bool operator==(const Payment&) const = default;
};

// What the API shows: "pending" or "unknown" while an operation is open, else the stage's name.
[[nodiscard]] std::string_view status(const Payment& payment) noexcept;

// A new payment whose first operation, authorize or sale, is open. REQUIRES: amount > 0.
[[nodiscard]] Payment start(Operation operation, std::int64_t amount) noexcept;

// The amount that `operation` (capture, void or refund) would move: `amount`, or without one all
// that is left. Problems: invalid_value (not positive, or a void with an amount), payment_state
// (another operation is open, the stage does not allow it, or it is more than is left).
[[nodiscard]] std::expected<std::int64_t, wire::Problem> can_begin(
    const Payment& payment, Operation operation, std::optional<std::int64_t> amount) noexcept;
// The payment with `operation` open. REQUIRES: can_begin gave `amount`.
[[nodiscard]] Payment begin(Payment payment, Operation operation, std::int64_t amount) noexcept;

// The payment when the processor has answered; `unknown` leaves the operation open, as lost.
// REQUIRES: an operation is open.
[[nodiscard]] Payment conclude(Payment payment, OperationOutcome outcome) noexcept;

// ProcessorView is what a look-up shows of a payment at its processor.
struct ProcessorView {
  enum class Status : std::uint8_t { absent, authorized, captured, voided, declined, failed };
  Status status = Status::absent;
  std::int64_t amount = 0;
  std::int64_t captured = 0;
  std::int64_t refunded = 0;                 // what has been given back
  std::optional<OperationOutcome> refund{};  // of the open refund; none: not known there
};
[[nodiscard]] std::string_view name(ProcessorView::Status status) noexcept;
[[nodiscard]] std::optional<ProcessorView::Status> parse_processor_status(
    std::string_view text) noexcept;

struct Settled {
  Payment payment;
  OperationOutcome outcome;  // of the operation that was open; unknown: it still is
};
// The payment as the processor shows it. What the processor does not know did not happen: ask only
// when its search cannot lag behind any more. corrupt: what it shows contradicts what it has
// confirmed before; nothing is settled then. REQUIRES: an operation is open.
[[nodiscard]] Result<Settled> settle(const Payment& payment, const ProcessorView& view) noexcept;

// True when the amounts, stage and open operation fit together: what every function here keeps.
[[nodiscard]] bool is_sound(const Payment& payment) noexcept;

}  // namespace strongroom::payments

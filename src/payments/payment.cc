// Transitions: design section 6, `Status`.
#include "payments/payment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"

namespace strongroom::payments {
namespace {

using wire::Problem;
using wire::ProblemType;

constexpr auto kStages = std::to_array<std::string_view>(
    {"none", "authorized", "captured", "partially_captured", "voided", "partially_refunded",
     "refunded", "declined", "failed"});
static_assert(kStages.size() == std::to_underlying(Stage::failed) + 1);

constexpr auto kViews = std::to_array<std::string_view>(
    {"absent", "authorized", "captured", "voided", "declined", "failed"});
static_assert(kViews.size() == std::to_underlying(ProcessorView::Status::failed) + 1);

// What is refused and where the payment stands: a problem holds literals only.
struct Refusal {
  Stage stage;
  wire::Literal change;  // of a capture or void; empty: allowed
  wire::Literal refund;
};
constexpr auto kRefusals = std::to_array<Refusal>(
    {{Stage::none, "the payment has not been authorized yet", "nothing has been captured yet"},
     {Stage::authorized, {}, "only what was captured can be refunded; the payment is authorized"},
     {Stage::captured, "the payment is captured already: it can only be refunded", {}},
     {Stage::partially_captured,
      "the payment is partially_captured; an authorization is captured once, its rest is released",
      {}},
     {Stage::voided, "the payment is voided: nothing can be captured or voided any more",
      "the payment is voided: nothing was captured"},
     {Stage::partially_refunded, "the payment is partially_refunded: it can only be refunded", {}},
     {Stage::refunded, "the payment is refunded: nothing can be captured or voided any more",
      "the payment is refunded: nothing is left to refund"},
     {Stage::declined, "the payment was declined: there is nothing to capture or void",
      "the payment was declined: nothing was captured"},
     {Stage::failed, "the payment failed: there is nothing to capture or void",
      "the payment failed: nothing was captured"}});

constexpr Problem kPending{ProblemType::payment_state,
                           "the payment is pending: another operation on it is under way"};
constexpr Problem kUnknown{ProblemType::payment_state,
                           "the payment is unknown: another operation's answer was lost; wait until"
                           " it has settled"};
constexpr Problem kCapturesTooMuch{ProblemType::payment_state, "is more than was authorized",
                                   "#/amount"};
constexpr Problem kRefundsTooMuch{ProblemType::payment_state,
                                  "is more than what is captured and not refunded yet", "#/amount"};
constexpr Problem kNotPositive{ProblemType::invalid_value, "must be greater than zero", "#/amount"};
constexpr Problem kVoidAmount{ProblemType::invalid_value, "a void releases all", "#/amount"};

constexpr Error kContradiction{ErrorCode::corrupt,
                               "the processor shows what it cannot have come to"};

// Where a payment stands of which something was captured.
Stage stage_of(const Payment& payment) noexcept {
  if (payment.refunded == payment.captured) return Stage::refunded;
  if (payment.refunded > 0) return Stage::partially_refunded;
  return payment.captured == payment.amount ? Stage::captured : Stage::partially_captured;
}

bool has_capture(Stage stage) noexcept {
  return stage == Stage::captured || stage == Stage::partially_captured ||
         stage == Stage::partially_refunded || stage == Stage::refunded;
}

bool allows(Stage stage, Operation operation) noexcept {
  if (operation == Operation::refund) return has_capture(stage) && stage != Stage::refunded;
  const bool first = operation == Operation::authorize || operation == Operation::sale;
  return !first && stage == Stage::authorized;
}

// REQUIRES: the stage does not allow it.
Problem refusal(Stage stage, Operation operation) noexcept {
  const auto* found = std::ranges::find(kRefusals, stage, &Refusal::stage);
  SR_CHECK(found != kRefusals.end());
  return {ProblemType::payment_state,
          operation == Operation::refund ? found->refund : found->change};
}

std::int64_t left(const Payment& payment, Operation operation) noexcept {
  return operation == Operation::refund ? payment.captured - payment.refunded : payment.amount;
}

Payment approve(Payment payment, const OpenOperation& open) noexcept {
  switch (open.operation) {
    case Operation::authorize:
      payment.stage = Stage::authorized;
      break;
    case Operation::sale:
    case Operation::capture:
      payment.captured = open.amount;
      payment.stage = stage_of(payment);
      break;
    case Operation::void_:
      payment.stage = Stage::voided;
      break;
    case Operation::refund:
      payment.refunded += open.amount;
      payment.stage = stage_of(payment);
      break;
  }
  return payment;
}

// What the processor has confirmed before cannot have gone.
bool contradicts(const Payment& payment, const ProcessorView& view) noexcept {
  using enum ProcessorView::Status;
  if (view.status == absent) {
    return payment.stage != Stage::none || view.captured != 0 || view.refunded != 0;
  }
  if (view.amount != payment.amount || view.captured > view.amount || view.captured < 0 ||
      view.refunded > view.captured || view.refunded < payment.refunded) {
    return true;
  }
  if ((view.status == captured) != (view.captured > 0)) return true;
  if (payment.captured > 0) return view.captured != payment.captured;
  const bool refused = view.status == declined || view.status == failed;
  return refused && payment.stage != Stage::none;
}

// The payment with the processor's figures, nothing open.
Payment shown(Payment payment, const ProcessorView& view) noexcept {
  payment.open.reset();
  payment.captured = view.captured;
  payment.refunded = view.refunded;
  switch (view.status) {
    case ProcessorView::Status::authorized:
      payment.stage = Stage::authorized;
      break;
    case ProcessorView::Status::captured:
      payment.stage = stage_of(payment);
      break;
    case ProcessorView::Status::voided:
      payment.stage = Stage::voided;
      break;
    case ProcessorView::Status::declined:
      payment.stage = Stage::declined;
      break;
    case ProcessorView::Status::absent:
    case ProcessorView::Status::failed:
      payment.stage = Stage::failed;
      break;
  }
  return payment;
}

OperationOutcome outcome_shown(Operation operation, const ProcessorView& view) noexcept {
  using enum ProcessorView::Status;
  const auto approved_if = [](bool happened) {
    return happened ? OperationOutcome::approved : OperationOutcome::failed;
  };
  switch (operation) {
    case Operation::authorize:
      if (view.status == declined) return OperationOutcome::declined;
      return approved_if(view.status != absent && view.status != failed);
    case Operation::sale:
      if (view.status == declined) return OperationOutcome::declined;
      return approved_if(view.status == captured);
    case Operation::capture:
      return approved_if(view.status == captured);
    case Operation::void_:
      return approved_if(view.status == voided);
    case Operation::refund:
      return view.refund.value_or(OperationOutcome::failed);
  }
  std::unreachable();
}

}  // namespace

std::string_view name(Stage stage) noexcept { return kStages[std::to_underlying(stage)]; }

std::optional<Stage> parse_stage(std::string_view text) noexcept {
  const auto* found = std::ranges::find(kStages, text);
  if (found == kStages.end()) return std::nullopt;
  return static_cast<Stage>(found - kStages.begin());
}

std::string_view name(ProcessorView::Status status) noexcept {
  return kViews[std::to_underlying(status)];
}

std::optional<ProcessorView::Status> parse_processor_status(std::string_view text) noexcept {
  const auto* found = std::ranges::find(kViews, text);
  if (found == kViews.end()) return std::nullopt;
  return static_cast<ProcessorView::Status>(found - kViews.begin());
}

std::string_view status(const Payment& payment) noexcept {
  if (payment.open) return payment.open->lost ? "unknown" : "pending";
  return name(payment.stage);
}

Payment start(Operation operation, std::int64_t amount) noexcept {
  SR_CHECK(operation == Operation::authorize || operation == Operation::sale);
  SR_CHECK(amount > 0);
  return {.amount = amount, .open = OpenOperation{operation, amount}};
}

std::expected<std::int64_t, Problem> can_begin(const Payment& payment, Operation operation,
                                               std::optional<std::int64_t> amount) noexcept {
  if (amount && operation == Operation::void_) return std::unexpected(kVoidAmount);
  if (amount && *amount <= 0) return std::unexpected(kNotPositive);
  if (payment.open) return std::unexpected(payment.open->lost ? kUnknown : kPending);
  if (!allows(payment.stage, operation)) return std::unexpected(refusal(payment.stage, operation));
  const std::int64_t most = left(payment, operation);
  if (amount && *amount > most) {
    return std::unexpected(operation == Operation::refund ? kRefundsTooMuch : kCapturesTooMuch);
  }
  return amount.value_or(most);
}

Payment begin(Payment payment, Operation operation, std::int64_t amount) noexcept {
  SR_CHECK(!payment.open && allows(payment.stage, operation));
  SR_CHECK(amount > 0 && amount <= left(payment, operation));
  payment.open = OpenOperation{operation, amount};
  return payment;
}

Payment conclude(Payment payment, OperationOutcome outcome) noexcept {
  SR_CHECK(payment.open.has_value());
  if (outcome == OperationOutcome::unknown) {
    payment.open->lost = true;
    return payment;
  }
  const OpenOperation open = *payment.open;
  payment.open.reset();
  if (outcome == OperationOutcome::approved) return approve(payment, open);
  // A later operation that came to nothing leaves the payment as it was.
  if (payment.stage == Stage::none) {
    payment.stage = outcome == OperationOutcome::declined ? Stage::declined : Stage::failed;
  }
  return payment;
}

Result<Settled> settle(const Payment& payment, const ProcessorView& view) noexcept {
  SR_CHECK(payment.open.has_value());
  if (contradicts(payment, view)) return fail(kContradiction);
  const OpenOperation open = *payment.open;
  const OperationOutcome outcome = outcome_shown(open.operation, view);
  if (outcome == OperationOutcome::unknown) return Settled{conclude(payment, outcome), outcome};
  const bool given_back =
      open.operation == Operation::refund && outcome == OperationOutcome::approved;
  if (given_back && view.refunded - payment.refunded < open.amount) return fail(kContradiction);
  return Settled{shown(payment, view), outcome};
}

bool is_sound(const Payment& payment) noexcept {
  const bool amounts = payment.amount > 0 && payment.captured >= 0 && payment.refunded >= 0 &&
                       payment.captured <= payment.amount && payment.refunded <= payment.captured;
  if (!amounts) return false;
  if (payment.captured > 0 ? payment.stage != stage_of(payment) : has_capture(payment.stage)) {
    return false;
  }
  if (!payment.open) return payment.stage != Stage::none;
  const OpenOperation& open = *payment.open;
  const bool first = open.operation == Operation::authorize || open.operation == Operation::sale;
  return open.amount > 0 && open.amount <= left(payment, open.operation) &&
         (first ? payment.stage == Stage::none : allows(payment.stage, open.operation));
}

}  // namespace strongroom::payments

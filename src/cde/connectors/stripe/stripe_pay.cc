// The pay role: charges, and what is done to them after.
#include <utility>

#include "base/try.h"
#include "cde/connectors/stripe/amount.h"
#include "cde/connectors/stripe/stripe_connector.h"
#include "cde/connectors/stripe/verdict.h"

namespace strongroom::cde::stripe {
namespace {

using payments::OperationOutcome;
using payments::PayAnswer;

constexpr std::size_t kResponseBytesMax = std::size_t{256} << 10;
// "At least 24 hours": less what lies between our clock's first look at a request and Stripe's.
constexpr std::chrono::seconds kIdempotencyWindow =
    std::chrono::hours(24) - std::chrono::minutes(5);
constexpr Error kNoSuchCharge{ErrorCode::invalid_argument, "not a payment intent's id"};

http::ClientOptions bounded(http::ClientOptions options) {
  options.response_bytes_max = kResponseBytesMax;
  return options;
}

Result<Form> charge_form(const ExpectedCharge& charge, payments::Initiator initiator) {
  SR_TRY(Form form, Form::create());
  form.add("amount", charge.amount)
      .add("currency", charge.currency)
      .add("customer", charge.customer)
      .add("payment_method", charge.payment_method)
      .add("payment_method_types[0]", "card")
      .add("confirm", "true")
      .add("capture_method", charge.captured ? "automatic" : "manual")
      .add("metadata[strongroom_reference]", charge.reference);
  if (initiator == payments::Initiator::merchant) {
    form.add("off_session", "true");
  } else {
    // The card is stored for later, and nobody is there to be led through a challenge.
    form.add("setup_future_usage", "off_session").add("error_on_requires_action", "true");
  }
  return form;
}

// Stripe's amount of a change; none stays none.
Result<std::optional<std::int64_t>> amount_of(const Change& change) {
  if (!change.amount) return std::optional<std::int64_t>();
  SR_TRY(const std::int64_t amount, to_stripe({*change.amount, change.currency}));
  return std::optional(amount);
}

Result<std::string> intent_path(std::string_view reference, std::string_view action) {
  if (!reference.starts_with("pi_") || !payments::is_processor_reference(reference)) {
    return fail(kNoSuchCharge);
  }
  return std::string("/v1/payment_intents/").append(reference).append(action);
}

Call get(std::string target) { return {.method = http::Method::get, .target = std::move(target)}; }

}  // namespace

StripeConnector::StripeConnector(async::Loop& loop, http::ClientOptions options)
    : api_(loop, bounded(std::move(options))) {}

std::chrono::seconds StripeConnector::idempotency_window() const noexcept {
  return kIdempotencyWindow;
}

Result<void> unless_sent(const Error& error) {
  if (error.code() == ErrorCode::unknown_outcome) return {};
  return fail(error);
}

async::Task<Result<PayAnswer>> StripeConnector::authorize(const Account& account,
                                                          const Charge& charge) {
  return make_charge(account, charge, false);
}
async::Task<Result<PayAnswer>> StripeConnector::sale(const Account& account, const Charge& charge) {
  return make_charge(account, charge, true);
}

async::Task<Result<PayAnswer>> StripeConnector::make_charge(const Account& account,
                                                            const Charge& charge, bool captured) {
  SR_CO_TRY(const std::int64_t amount, to_stripe(charge.money));
  SR_CO_TRY(const CardIds card, card_ids(charge.card));
  const ExpectedCharge expected{.amount = amount,
                                .currency = currency_text(charge.money.currency),
                                .customer = card.customer,
                                .payment_method = card.payment_method,
                                .reference = charge.reference,
                                .captured = captured,
                                .settle = charge.settle};
  SR_CO_TRY(const Form form, charge_form(expected, charge.initiator));
  const Call call{
      .target = "/v1/payment_intents",
      .form = &form,
      .idempotency_key = key_of(account, charge.idempotency_key, captured ? "sale" : "authorize")};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  if (!response) {
    SR_CO_CHECK_OK(unless_sent(response.error()));
    co_return PayAnswer{};
  }
  PayAnswer answer = judge_charge(*response, expected);
  // What was answered, and perhaps replayed, may be under way no more.
  if (answer.outcome == OperationOutcome::unknown && !answer.processor_reference.empty()) {
    const Call again = get("/v1/payment_intents/" + answer.processor_reference);
    const Result<http::ClientResponse> now = co_await api_.send(account, again);
    if (now && now->status == 200) answer = judge_charge(*now, expected);
  }
  co_return answer;
}

async::Task<Result<PayAnswer>> StripeConnector::capture(const Account& account,
                                                        const Change& change) {
  SR_CO_TRY(const auto amount, amount_of(change));
  SR_CO_TRY(std::string target, intent_path(change.processor_reference, "/capture"));
  SR_CO_TRY(Form form, Form::create());
  if (amount) form.add("amount_to_capture", *amount);
  const ExpectedChange expected{change.processor_reference, amount, "succeeded", change.settle};
  const Call call{.target = std::move(target),
                  .form = &form,
                  .idempotency_key = key_of(account, change.idempotency_key, "capture")};
  co_return co_await make_change(account, call, expected);
}

async::Task<Result<PayAnswer>> StripeConnector::void_(const Account& account,
                                                      const Change& change) {
  SR_CO_TRY(std::string target, intent_path(change.processor_reference, "/cancel"));
  SR_CO_TRY(Form form, Form::create());
  form.add("cancellation_reason", "requested_by_customer");
  const ExpectedChange expected{change.processor_reference, {}, "canceled", change.settle};
  const Call call{.target = std::move(target),
                  .form = &form,
                  .idempotency_key = key_of(account, change.idempotency_key, "void")};
  co_return co_await make_change(account, call, expected);
}

async::Task<Result<PayAnswer>> StripeConnector::make_change(const Account& account,
                                                            const Call& call,
                                                            const ExpectedChange& expected) {
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  if (!response) {
    SR_CO_CHECK_OK(unless_sent(response.error()));
    co_return PayAnswer{};
  }
  co_return judge_change(*response, expected);
}

async::Task<Result<PayAnswer>> StripeConnector::refund(const Account& account,
                                                       const Change& change) {
  SR_CO_TRY(const auto amount, amount_of(change));
  SR_CO_CHECK_OK(intent_path(change.processor_reference, ""));
  SR_CO_TRY(Form form, Form::create());
  form.add("payment_intent", change.processor_reference)
      .add("metadata[strongroom_reference]", change.reference);
  if (amount) form.add("amount", *amount);
  const ExpectedRefund expected{.payment_intent = change.processor_reference,
                                .amount = amount,
                                .currency = currency_text(change.currency),
                                .reference = change.reference,
                                .settle = change.settle};
  const Call call{.target = "/v1/refunds",
                  .form = &form,
                  .idempotency_key = key_of(account, change.idempotency_key, "refund")};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  if (!response) {
    SR_CO_CHECK_OK(unless_sent(response.error()));
    co_return PayAnswer{};
  }
  PayAnswer answer = judge_refund(*response, expected);
  if (answer.outcome == OperationOutcome::unknown && !answer.processor_reference.empty()) {
    const Call again = get("/v1/refunds/" + answer.processor_reference);
    const Result<http::ClientResponse> now = co_await api_.send(account, again);
    if (now && now->status == 200) answer = judge_refund(*now, expected);
  }
  co_return answer;
}

}  // namespace strongroom::cde::stripe

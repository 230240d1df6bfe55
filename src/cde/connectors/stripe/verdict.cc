// From status and body to an outcome. An error of the card is a decline, one of the request a
// failure; what speaks of Stripe's own trouble, or contradicts what was asked, is unknown.
#include "cde/connectors/stripe/verdict.h"

#include "cde/connectors/stripe/decline.h"

namespace strongroom::cde::stripe {
namespace {

namespace json = boost::json;
using payments::Decline;
using payments::DeclineClass;
using payments::OperationOutcome;
using payments::PayAnswer;

constexpr int kOk = 200;

PayAnswer approved(std::string reference) {
  return {OperationOutcome::approved, std::move(reference), std::nullopt};
}
PayAnswer declined(Decline decline) { return {OperationOutcome::declined, {}, std::move(decline)}; }
PayAnswer failed(std::optional<Decline> why) {
  return {OperationOutcome::failed, {}, std::move(why)};
}
PayAnswer unknown(std::string reference = {}) {
  return {OperationOutcome::unknown, std::move(reference), std::nullopt};
}

struct ErrorBody {
  std::string_view type;
  std::string_view code;
  std::string_view decline_code;
  std::string_view param;
};

std::optional<ErrorBody> read_error(const json::object* body) {
  const json::object* error = body == nullptr ? nullptr : object_of(*body, "error");
  if (error == nullptr) return std::nullopt;
  return ErrorBody{text_of(*error, "type"), text_of(*error, "code"),
                   text_of(*error, "decline_code"), text_of(*error, "param")};
}

// 429, and the 409 of an object that somebody else holds: nothing was begun.
bool is_busy(int status, const ErrorBody& error) noexcept {
  return status == 429 || (status == 409 && error.code == "lock_timeout");
}

PayAnswer judge_error(int status, const ErrorBody& error, bool settle) {
  if (error.type == "card_error") return declined(decline_of(error.decline_code, error.code));
  // The key stands for another request, or for one that still runs: that one decides.
  if (error.type == "idempotency_error" || error.code == "idempotency_key_in_use") return unknown();
  const bool about_this_try = is_busy(status, error) || status == 401 || status == 403;
  if (about_this_try && settle) return unknown();
  if (is_busy(status, error)) return declined(decline_as(DeclineClass::rate_limited, error.code));
  // A refund that the balance does not cover today.
  if (error.code == "balance_insufficient") return declined(decline_of({}, error.code));
  if (status == 400 || status == 401 || status == 403 || status == 404) {
    return failed(decline_as(DeclineClass::configuration, error.code));
  }
  return unknown();
}

// Stripe has no such customer or PaymentMethod (any more), or not for this credential: it says so
// before it begins anything.
bool has_forgotten_card(int status, const json::object* body) {
  const auto error = read_error(body);
  return (status == 400 || status == 404) && error && error->code == "resource_missing" &&
         (error->param == "customer" || error->param == "payment_method");
}

// The intent that an error speaks of, when it is the one that was asked for.
std::string intent_in_error(const json::object* body, std::string_view reference) {
  const json::object* error = body == nullptr ? nullptr : object_of(*body, "error");
  const json::object* object = error == nullptr ? nullptr : object_of(*error, "payment_intent");
  const auto intent = object == nullptr ? std::nullopt : read_payment_intent(*object);
  return intent && intent->reference == reference ? intent->id : std::string();
}

bool is_about(const PaymentIntent& intent, const ExpectedCharge& expected) {
  return intent.amount == expected.amount && intent.currency == expected.currency &&
         intent.customer == expected.customer && intent.reference == expected.reference;
}

PayAnswer judge_intent(const PaymentIntent& intent, const ExpectedCharge& expected) {
  const std::string_view status = intent.status;
  const bool taken = status == "succeeded" && intent.amount_received == expected.amount;
  const bool held = status == "requires_capture";
  // Once it was refused, the intent has let go of the card.
  const bool same_card = intent.payment_method == expected.payment_method;
  if (same_card && (expected.captured ? taken : held)) return approved(intent.id);
  PayAnswer answer = unknown();
  if (status == "requires_payment_method" && intent.declined) {
    answer = declined(*intent.declined);
  } else if (status == "requires_action") {
    answer = declined(decline_of({}, "authentication_required"));
  }
  answer.processor_reference = intent.id;
  return answer;
}

}  // namespace

PayAnswer judge_refusal(const http::ClientResponse& response, bool settle) {
  if (response.status < 400 || response.status >= 500) return unknown();
  const Document document(response.body);
  const auto error = read_error(document.object());
  return error ? judge_error(response.status, *error, settle) : unknown();
}

PayAnswer judge_charge(const http::ClientResponse& response, const ExpectedCharge& expected) {
  const Document document(response.body);
  if (has_forgotten_card(response.status, document.object())) {
    return payments::processor_token_unknown();
  }
  if (response.status != kOk) {
    PayAnswer answer = judge_refusal(response, expected.settle);
    answer.processor_reference = intent_in_error(document.object(), expected.reference);
    return answer;
  }
  const auto intent =
      document.object() == nullptr ? std::nullopt : read_payment_intent(*document.object());
  if (!intent || !is_about(*intent, expected)) return unknown();
  return judge_intent(*intent, expected);
}

PayAnswer judge_change(const http::ClientResponse& response, const ExpectedChange& expected) {
  if (response.status != kOk) return judge_refusal(response, expected.settle);
  const Document document(response.body);
  const auto intent =
      document.object() == nullptr ? std::nullopt : read_payment_intent(*document.object());
  if (!intent || intent->id != expected.id || intent->status != expected.status) return unknown();
  if (expected.amount && intent->amount_received != *expected.amount) return unknown();
  return approved(intent->id);
}

OperationOutcome outcome_of(const Refund& refund) noexcept {
  if (refund.status == "succeeded") return OperationOutcome::approved;
  if (refund.status == "failed") return OperationOutcome::declined;
  if (refund.status == "canceled") return OperationOutcome::failed;
  return OperationOutcome::unknown;  // pending, requires_action
}

PayAnswer judge_refund(const http::ClientResponse& response, const ExpectedRefund& expected) {
  if (response.status != kOk) return judge_refusal(response, expected.settle);
  const Document document(response.body);
  const auto refund = document.object() == nullptr ? std::nullopt : read_refund(*document.object());
  if (!refund || refund->payment_intent != expected.payment_intent ||
      refund->currency != expected.currency || refund->reference != expected.reference ||
      (expected.amount && refund->amount != *expected.amount)) {
    return unknown();
  }
  PayAnswer answer{outcome_of(*refund), refund->id, std::nullopt};
  if (answer.outcome == OperationOutcome::declined) {
    answer.decline = decline_of({}, refund->failure_reason);
  }
  return answer;
}

}  // namespace strongroom::cde::stripe

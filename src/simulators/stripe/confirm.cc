// Authentication, the issuer's answer, and what follows from it.
#include "simulators/stripe/confirm.h"

#include <utility>

#include "simulators/stripe/render.h"

namespace strongroom::simulators::stripe {
namespace {

bool needs_authentication(const CardBehavior& behavior, bool off_session) noexcept {
  if (behavior.authentication == Authentication::never) return false;
  return behavior.authentication == Authentication::always || !off_session;
}

Charge& add_charge(const Call& call, PaymentIntent& intent, const PaymentMethod& method) {
  Charge charge{.id = call.ledger.new_id("ch_"),
                .account = intent.account,
                .created_s = call.ledger.now_s(),
                .payment_intent = intent.id,
                .payment_method = method.id,
                .amount = intent.amount};
  intent.latest_charge = charge.id;
  const std::string id = charge.id;
  return call.ledger.charges.put(id, std::move(charge));
}

// The intent is back where it wants a payment method, and says why.
ApiError turn_back(const Call& call, PaymentIntent& intent, const PaymentMethod& method,
                   ApiError error) {
  error.payment_method = to_json(method);
  intent.status = "requires_payment_method";
  intent.payment_method.clear();
  intent.last_error = error;
  error.payment_intent = to_json(intent, call.ledger);
  return error;
}

ApiError decline(const Call& call, PaymentIntent& intent, PaymentMethod& method,
                 std::string_view decline_code) {
  ApiError error = declined(decline_code);
  Charge& charge = add_charge(call, intent, method);
  charge.failure = error;
  error.charge = charge.id;
  return turn_back(call, intent, method, std::move(error));
}

void approve(const Call& call, PaymentIntent& intent, PaymentMethod& method) {
  Charge& charge = add_charge(call, intent, method);
  intent.last_error.reset();
  const bool manual = intent.capture_method == "manual" ||
                      call.form.value("payment_method_options[card][capture_method]") == "manual";
  if (manual) {
    intent.status = "requires_capture";
    intent.amount_capturable = intent.amount;
  } else {
    intent.status = "succeeded";
    intent.amount_received = intent.amount;
    charge.captured = true;
    charge.amount_captured = intent.amount;
  }
}

// A method that belongs to nobody is spent by its first charge, unless the customer of this payment
// keeps it.
void settle_ownership(const PaymentIntent& intent, PaymentMethod& method, bool approved) {
  if (!method.customer.empty()) return;
  const bool keeps = approved && !intent.customer.empty() && !intent.setup_future_usage.empty();
  if (keeps) {
    method.customer = intent.customer;
  } else {
    method.spent = true;
  }
}

}  // namespace

std::optional<ApiError> check_confirmable(const PaymentIntent& intent, Ledger& ledger) {
  if (intent.status == "requires_payment_method" || intent.status == "requires_confirmation" ||
      intent.status == "requires_action") {
    return std::nullopt;
  }
  return unexpected_state(
      "You cannot confirm this PaymentIntent because it has a status of " + intent.status + ".",
      to_json(intent, ledger));
}

std::optional<ApiError> confirm(const Call& call, PaymentIntent& intent) {
  PaymentMethod& method = *call.ledger.payment_method(intent.account, intent.payment_method);
  const CardBehavior& behavior = *method.card.behavior;
  intent.changed_us = call.ledger.now_us();
  const bool off_session = call.form.value("off_session").value_or("false") != "false";
  if (needs_authentication(behavior, off_session)) {
    if (!off_session && call.form.value("error_on_requires_action") != "true") {
      intent.status = "requires_action";
      return std::nullopt;
    }
    return turn_back(call, intent, method, declined("authentication_required"));
  }
  const std::string_view code = call.decline.empty() ? behavior.decline : call.decline;
  settle_ownership(intent, method, code.empty());
  if (!code.empty()) return decline(call, intent, method, code);
  approve(call, intent, method);
  return std::nullopt;
}

}  // namespace strongroom::simulators::stripe

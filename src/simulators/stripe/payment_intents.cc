// PaymentIntents from creation to capture or cancellation. Charging is confirm.cc's.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "simulators/stripe/confirm.h"
#include "simulators/stripe/methods.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::int64_t kAmountMax = 99'999'999;

Reply show(const Call& call, const PaymentIntent& intent) {
  auto expansion = Expansion::of(call.form, {"latest_charge", "customer", "payment_method"});
  if (!expansion) return std::unexpected(expansion.error());
  return to_json(intent, call.ledger, *expansion);
}

std::optional<ApiError> check_amount(std::int64_t amount, const Currency& currency) {
  if (amount < 1) {
    return invalid_request("This value must be greater than or equal to 1.", "amount",
                           "parameter_invalid_integer");
  }
  if (amount < currency.amount_min) {
    return invalid_request("Amount must convert to at least the minimum charge amount.", "amount",
                           "amount_too_small");
  }
  if (amount > kAmountMax) {
    return invalid_request("Amount must be no more than 99999999.", "amount", "amount_too_large");
  }
  if (currency.exponent == 3 && amount % 10 != 0) {
    return invalid_request("The last digit of an amount in this currency must be 0.", "amount");
  }
  return std::nullopt;
}

// What a confirmation from a server must say: a payment that could send its customer to another
// page needs one to come back to.
std::optional<ApiError> check_methods(const Form& form) {
  const bool automatic = form.has_group("automatic_payment_methods");
  const auto types = form.list("payment_method_types");
  if (automatic && !types.empty()) {
    return invalid_request(
        "You may only specify one of these parameters: automatic_payment_methods, "
        "payment_method_types.");
  }
  if (automatic && !form.value("automatic_payment_methods[enabled]")) {
    return invalid_request("Missing required param: automatic_payment_methods[enabled].",
                           "automatic_payment_methods[enabled]", "parameter_missing");
  }
  if (std::ranges::any_of(types, [](std::string_view type) { return type != "card"; })) {
    return invalid_request("This simulator plays cards only.", "payment_method_types");
  }
  const bool redirects =
      types.empty() && form.value("automatic_payment_methods[allow_redirects]") != "never";
  if (form.value("confirm") == "true" && redirects && !form.value("return_url")) {
    return invalid_request(
        "This PaymentIntent accepts payment methods that may redirect: give a `return_url`, set "
        "`automatic_payment_methods[allow_redirects]` to `never`, or name "
        "`payment_method_types`.",
        "return_url");
  }
  return std::nullopt;
}

std::optional<ApiError> check_creation(const Call& call) {
  const Form& form = call.form;
  const Currency* currency = find_currency(*form.value("currency"));
  if (currency == nullptr) return invalid_request("Invalid currency.", "currency");
  if (auto wrong = check_amount(*parse_integer(*form.value("amount")), *currency)) return wrong;
  if (auto wrong = check_methods(form)) return wrong;
  if (const auto id = form.value("customer")) {
    const Customer* customer = call.ledger.customer(call.account, *id);
    if (customer == nullptr || customer->deleted) return no_such("customer", "customer");
  }
  if (form.value("off_session").value_or("false") != "false" && form.value("confirm") != "true") {
    return invalid_request("off_session needs confirm=true.", "off_session");
  }
  if (auto expansion = Expansion::of(form, {"latest_charge", "customer", "payment_method"});
      !expansion) {
    return expansion.error();
  }
  return std::nullopt;
}

PaymentIntent read_intent(const Call& call, Metadata metadata) {
  const Form& form = call.form;
  const std::string id = call.ledger.new_id("pi_");
  const bool types_named = !form.list("payment_method_types").empty();
  return {
      .id = id,
      .account = std::string(call.account),
      .client_secret = call.ledger.new_id(id + "_secret_"),
      .created_s = call.ledger.now_s(),
      .changed_us = call.ledger.now_us(),
      .amount = *parse_integer(*form.value("amount")),
      .currency = text_of(form, "currency"),
      .capture_method = std::string(form.value("capture_method").value_or("automatic")),
      .confirmation_method = std::string(form.value("confirmation_method").value_or("automatic")),
      .customer = text_of(form, "customer"),
      .description = text_of(form, "description"),
      .receipt_email = text_of(form, "receipt_email"),
      .statement_descriptor = text_of(form, "statement_descriptor"),
      .statement_descriptor_suffix = text_of(form, "statement_descriptor_suffix"),
      .setup_future_usage = text_of(form, "setup_future_usage"),
      .return_url = text_of(form, "return_url"),
      .automatic_payment_methods =
          !types_named && form.value("automatic_payment_methods[enabled]") != "false",
      .metadata = std::move(metadata)};
}

std::expected<PaymentIntent*, ApiError> find_intent(const Call& call) {
  PaymentIntent* intent = call.ledger.payment_intent(call.account, call.id);
  if (intent == nullptr) return std::unexpected(no_such("payment_intent", "intent"));
  return intent;
}

// The payment method that a creation or confirmation names, if any.
std::optional<ApiError> take_method(const Call& call, PaymentIntent& intent) {
  const auto id = call.form.value("payment_method");
  if (!id) return std::nullopt;
  auto method = find_payment_method(call, *id);
  if (!method) return method.error();
  if (auto wrong = check_usable(**method, intent.customer)) return wrong;
  intent.payment_method = (*method)->id;
  if (intent.status == "requires_payment_method") intent.status = "requires_confirmation";
  return std::nullopt;
}

ApiError not_capturable(const PaymentIntent& intent, Ledger& ledger) {
  return unexpected_state(
      fmt::format("This PaymentIntent could not be captured because it has a status of {}. Only a "
                  "PaymentIntent with one of the following statuses may be captured: "
                  "requires_capture.",
                  intent.status),
      to_json(intent, ledger));
}

ApiError not_cancelable(const PaymentIntent& intent, Ledger& ledger) {
  return unexpected_state(
      fmt::format("You cannot cancel this PaymentIntent because it has a status of {}. Only a "
                  "PaymentIntent with one of the following statuses may be canceled: "
                  "requires_payment_method, requires_capture, requires_confirmation, "
                  "requires_action.",
                  intent.status),
      to_json(intent, ledger));
}

}  // namespace

Reply create_payment_intent(const Call& call) {
  if (auto wrong = check_creation(call)) return std::unexpected(*std::move(wrong));
  auto metadata = read_metadata(call.form);
  if (!metadata) return std::unexpected(metadata.error());
  PaymentIntent draft = read_intent(call, *std::move(metadata));
  if (auto wrong = take_method(call, draft)) return std::unexpected(*std::move(wrong));
  const bool confirms = call.form.value("confirm") == "true";
  if (confirms && draft.payment_method.empty()) {
    return std::unexpected(invalid_request(
        "You cannot confirm this PaymentIntent because it's missing a payment method.",
        "payment_method"));
  }
  const std::string id = draft.id;
  PaymentIntent& intent = call.ledger.payment_intents.put(id, std::move(draft));
  if (confirms) {
    if (auto refused = confirm(call, intent)) return std::unexpected(*std::move(refused));
  }
  return show(call, intent);
}

Reply confirm_payment_intent(const Call& call) {
  auto found = find_intent(call);
  if (!found) return std::unexpected(found.error());
  PaymentIntent& intent = **found;
  if (auto wrong = check_confirmable(intent, call.ledger))
    return std::unexpected(*std::move(wrong));
  if (auto expansion = Expansion::of(call.form, {"latest_charge", "customer", "payment_method"});
      !expansion) {
    return std::unexpected(expansion.error());
  }
  if (auto wrong = take_method(call, intent)) return std::unexpected(*std::move(wrong));
  if (intent.payment_method.empty()) {
    return std::unexpected(unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method.",
        to_json(intent, call.ledger)));
  }
  if (const auto way = call.form.value("capture_method")) intent.capture_method = *way;
  if (const auto usage = call.form.value("setup_future_usage")) intent.setup_future_usage = *usage;
  if (const auto url = call.form.value("return_url")) intent.return_url = *url;
  if (auto refused = confirm(call, intent)) return std::unexpected(*std::move(refused));
  return show(call, intent);
}

Reply capture_payment_intent(const Call& call) {
  auto found = find_intent(call);
  if (!found) return std::unexpected(found.error());
  PaymentIntent& intent = **found;
  if (intent.status != "requires_capture") {
    return std::unexpected(not_capturable(intent, call.ledger));
  }
  const std::int64_t amount = parse_integer(call.form.value("amount_to_capture").value_or(""))
                                  .value_or(intent.amount_capturable);
  if (amount < 1) {
    return std::unexpected(invalid_request("This value must be greater than or equal to 1.",
                                           "amount_to_capture", "parameter_invalid_integer"));
  }
  if (amount > intent.amount_capturable) {
    return std::unexpected(
        invalid_request("amount_to_capture is larger than what this PaymentIntent can capture.",
                        "amount_to_capture", "amount_too_large"));
  }
  if (Charge* charge = call.ledger.charge(call.account, intent.latest_charge)) {
    charge->captured = true;
    charge->amount_captured = amount;
    release(call.ledger, intent, *charge, intent.amount_capturable - amount);
  }
  intent.status = "succeeded";
  intent.amount_received = amount;
  intent.amount_capturable = 0;
  intent.changed_us = call.ledger.now_us();
  return show(call, intent);
}

Reply cancel_payment_intent(const Call& call) {
  constexpr std::array<std::string_view, 4> kCancelable{
      "requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"};
  auto found = find_intent(call);
  if (!found) return std::unexpected(found.error());
  PaymentIntent& intent = **found;
  if (std::ranges::find(kCancelable, intent.status) == kCancelable.end()) {
    return std::unexpected(not_cancelable(intent, call.ledger));
  }
  if (intent.status == "requires_capture") {
    if (Charge* charge = call.ledger.charge(call.account, intent.latest_charge)) {
      charge->reversed = true;
      release(call.ledger, intent, *charge, intent.amount_capturable);
    }
  }
  intent.status = "canceled";
  intent.amount_capturable = 0;
  intent.canceled_at_s = call.ledger.now_s();
  intent.cancellation_reason = text_of(call.form, "cancellation_reason");
  intent.changed_us = call.ledger.now_us();
  return show(call, intent);
}

Reply get_payment_intent(const Call& call) {
  auto found = find_intent(call);
  if (!found) return std::unexpected(found.error());
  return show(call, **found);
}

}  // namespace strongroom::simulators::stripe

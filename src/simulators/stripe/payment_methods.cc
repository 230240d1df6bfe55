// PaymentMethods: a card, alone or attached to a customer. Alone it pays once.
#include "simulators/stripe/methods.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/test_cards.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

PaymentMethod& add(const Call& call, PaymentMethod method) {
  method.id = call.ledger.new_id("pm_");
  method.account = call.account;
  method.created_s = call.ledger.now_s();
  const std::string id = method.id;
  return call.ledger.payment_methods.put(id, std::move(method));
}

ApiError used_before() {
  return invalid_request(
      "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
      "attachment, or was detached from a Customer. It may not be used again. To use a "
      "PaymentMethod multiple times, you must attach it to a Customer first.");
}

}  // namespace

std::expected<PaymentMethod*, ApiError> find_payment_method(const Call& call, std::string_view id) {
  if (PaymentMethod* found = call.ledger.payment_method(call.account, id)) return found;
  auto card = card_of_test_id(id, call.ledger.card_reader());
  if (!card) return std::unexpected(card.error());
  return &add(call, {.card = *std::move(card)});
}

std::optional<ApiError> check_usable(const PaymentMethod& method, std::string_view customer) {
  if (method.spent) return used_before();
  if (method.customer.empty() || method.customer == customer) return std::nullopt;
  if (customer.empty()) {
    return invalid_request(
        "The PaymentMethod belongs to a Customer. Please include the Customer in the `customer` "
        "parameter on the PaymentIntent.",
        "payment_method");
  }
  return invalid_request("The PaymentMethod belongs to a different Customer.", "payment_method");
}

Reply create_payment_method(const Call& call) {
  const Form& form = call.form;
  if (form.value("type") != "card") {
    return std::unexpected(invalid_request("This simulator plays cards only.", "type"));
  }
  if (auto expansion = Expansion::of(form, {}); !expansion) {
    return std::unexpected(expansion.error());
  }
  auto metadata = read_metadata(form);
  if (!metadata) return std::unexpected(metadata.error());
  auto card = read_card(form, call.ledger.card_reader());
  if (!card) return std::unexpected(card.error());
  return to_json(add(call, {.card = *std::move(card),
                            .name = text_of(form, "billing_details[name]"),
                            .email = text_of(form, "billing_details[email]"),
                            .phone = text_of(form, "billing_details[phone]"),
                            .address = read_address(form, "billing_details[address]"),
                            .metadata = *std::move(metadata)}));
}

Reply get_payment_method(const Call& call) {
  const PaymentMethod* method = call.ledger.payment_method(call.account, call.id);
  if (method == nullptr) return std::unexpected(no_such("PaymentMethod", "payment_method"));
  return to_json(*method);
}

Reply attach_payment_method(const Call& call) {
  const std::string customer = text_of(call.form, "customer");
  const Customer* owner = call.ledger.customer(call.account, customer);
  if (owner == nullptr || owner->deleted) return std::unexpected(no_such("customer", "customer"));
  auto method = find_payment_method(call, call.id);
  if (!method) return std::unexpected(method.error());
  if ((*method)->spent) return std::unexpected(used_before());
  if (!(*method)->customer.empty()) {
    return std::unexpected(invalid_request(
        "The payment method you provided has already been attached to a customer."));
  }
  // Attaching asks the issuer whether the card is good.
  if (!call.decline.empty()) return std::unexpected(declined(call.decline));
  const CardBehavior& behavior = *(*method)->card.behavior;
  if (!behavior.attaches) return std::unexpected(declined(behavior.decline));
  (*method)->customer = customer;
  return to_json(**method);
}

Reply detach_payment_method(const Call& call) {
  PaymentMethod* method = call.ledger.payment_method(call.account, call.id);
  if (method == nullptr) return std::unexpected(no_such("PaymentMethod", "payment_method"));
  if (method->customer.empty()) {
    return std::unexpected(invalid_request(
        "The payment method you provided is not attached to a customer so detachment is "
        "impossible."));
  }
  method->customer.clear();
  method->spent = true;
  return to_json(*method);
}

}  // namespace strongroom::simulators::stripe

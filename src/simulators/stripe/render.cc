// Customers, payment methods and refunds, with members in the order of the API's own examples.
#include "simulators/stripe/render.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "simulators/stripe/render_parts.h"

namespace strongroom::simulators::stripe {
namespace {

namespace json = boost::json;

json::object address_json(const PostalAddress& address) {
  return {{"city", or_null(address.city)},
          {"country", or_null(address.country)},
          {"line1", or_null(address.line1)},
          {"line2", or_null(address.line2)},
          {"postal_code", or_null(address.postal_code)},
          {"state", or_null(address.state)}};
}

json::value check_json(bool given, bool fails, std::string_view otherwise) {
  if (!given) return nullptr;
  return json::value(fails ? "fail" : otherwise);
}

json::object card_json(const PaymentMethod& method) {
  const Card& card = method.card;
  const bool asked = !method.customer.empty() || method.spent;
  return {{"brand", card.brand},
          {"checks", checks_json(method, asked ? "pass" : "unchecked")},
          {"country", "US"},
          {"display_brand", card.brand},
          {"exp_month", card.exp_month},
          {"exp_year", card.exp_year},
          {"fingerprint", card.fingerprint},
          {"funding", card.funding},
          {"generated_from", nullptr},
          {"last4", card.last4},
          {"networks", {{"available", json::array{card.brand}}, {"preferred", nullptr}}},
          {"regulated_status", nullptr},
          {"three_d_secure_usage", {{"supported", true}}},
          {"wallet", nullptr}};
}

}  // namespace

json::value or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::value(text);
}

json::value or_null(std::int64_t number) {
  if (number == 0) return nullptr;
  return number;
}

json::object metadata_json(const Metadata& metadata) {
  json::object out;
  for (const auto& [name, value] : metadata) out[name] = value;
  return out;
}

json::object billing_json(const PaymentMethod& method) {
  return {{"address", address_json(method.address)},
          {"email", or_null(method.email)},
          {"name", or_null(method.name)},
          {"phone", or_null(method.phone)},
          {"tax_id", nullptr}};
}

json::object checks_json(const PaymentMethod& method, std::string_view passed) {
  const Card& card = method.card;
  return {{"address_line1_check", check_json(!method.address.line1.empty(), false, passed)},
          {"address_postal_code_check", check_json(!method.address.postal_code.empty(),
                                                   card.behavior->postal_code_fails, passed)},
          {"cvc_check", check_json(card.cvc_given, card.behavior->cvc_fails, passed)}};
}

std::expected<Expansion, ApiError> Expansion::of(
    const Form& form, std::initializer_list<std::string_view> expandable) {
  Expansion expansion;
  expansion.properties_ = form.list("expand");
  for (const std::string_view property : expansion.properties_) {
    if (std::ranges::find(expandable, property) == expandable.end()) {
      return std::unexpected(invalid_request("This property cannot be expanded.", "expand"));
    }
  }
  return expansion;
}

bool Expansion::has(std::string_view property) const noexcept {
  return std::ranges::find(properties_, property) != properties_.end();
}

json::object to_json(const Customer& customer) {
  if (customer.deleted) return {{"id", customer.id}, {"object", "customer"}, {"deleted", true}};
  return {{"id", customer.id},
          {"object", "customer"},
          {"address", address_json(customer.address)},
          {"balance", 0},
          {"created", customer.created_s},
          {"currency", nullptr},
          {"default_source", nullptr},
          {"delinquent", false},
          {"description", or_null(customer.description)},
          {"email", or_null(customer.email)},
          {"invoice_prefix", nullptr},
          {"livemode", false},
          {"metadata", metadata_json(customer.metadata)},
          {"name", or_null(customer.name)},
          {"phone", or_null(customer.phone)},
          {"preferred_locales", json::array()},
          {"shipping", nullptr},
          {"tax_exempt", "none"},
          {"test_clock", nullptr}};
}

json::object to_json(const PaymentMethod& method) {
  return {{"id", method.id},
          {"object", "payment_method"},
          {"allow_redisplay", "unspecified"},
          {"billing_details", billing_json(method)},
          {"card", card_json(method)},
          {"created", method.created_s},
          {"customer", or_null(method.customer)},
          {"livemode", false},
          {"metadata", metadata_json(method.metadata)},
          {"type", "card"}};
}

json::object to_json(const Refund& refund) {
  json::object out{{"id", refund.id},
                   {"object", "refund"},
                   {"amount", refund.amount},
                   {"balance_transaction", nullptr},
                   {"charge", refund.charge},
                   {"created", refund.created_s},
                   {"currency", refund.currency},
                   {"destination_details", {{"card", {{"type", "refund"}}}, {"type", "card"}}},
                   {"metadata", metadata_json(refund.metadata)},
                   {"payment_intent", or_null(refund.payment_intent)},
                   {"reason", or_null(refund.reason)},
                   {"receipt_number", nullptr},
                   {"source_transfer_reversal", nullptr},
                   {"status", refund.status},
                   {"transfer_reversal", nullptr}};
  if (refund.status == "pending") out["pending_reason"] = "processing";
  if (refund.status == "failed") out["failure_reason"] = "expired_or_canceled_card";
  return out;
}

}  // namespace strongroom::simulators::stripe

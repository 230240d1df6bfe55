// PaymentIntents and charges.
#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>

#include "simulators/stripe/render.h"
#include "simulators/stripe/render_parts.h"

namespace strongroom::simulators::stripe {
namespace {

namespace json = boost::json;

json::object charged_card_json(const PaymentMethod& method, const Charge& charge) {
  const Card& card = method.card;
  const bool approved = !charge.failure;
  return {
      {"amount_authorized", approved ? json::value(charge.amount) : json::value()},
      {"authorization_code", approved ? json::value("123456") : json::value()},
      {"brand", card.brand},
      {"checks", checks_json(method, "pass")},
      {"country", "US"},
      {"exp_month", card.exp_month},
      {"exp_year", card.exp_year},
      {"extended_authorization", {{"status", "disabled"}}},
      {"fingerprint", card.fingerprint},
      {"funding", card.funding},
      {"incremental_authorization", {{"status", "unavailable"}}},
      {"installments", nullptr},
      {"last4", card.last4},
      {"mandate", nullptr},
      {"multicapture", {{"status", "unavailable"}}},
      {"network", card.brand},
      {"network_token", {{"used", false}}},
      {"overcapture", {{"maximum_amount_capturable", charge.amount}, {"status", "unavailable"}}},
      {"three_d_secure", nullptr},
      {"wallet", nullptr}};
}

json::object outcome_json(const Charge& charge, const CardBehavior* behavior) {
  const bool blocked = behavior != nullptr && behavior->blocked;
  const bool risky = blocked || (behavior != nullptr && behavior->highest_risk);
  json::object outcome{
      {"network_status", "approved_by_network"},    {"reason", nullptr},
      {"risk_level", risky ? "highest" : "normal"}, {"risk_score", risky ? 75 : 20},
      {"seller_message", "Payment complete."},      {"type", "authorized"}};
  if (!charge.failure) return outcome;
  outcome["network_status"] = blocked ? "not_sent_to_network" : "declined_by_network";
  outcome["reason"] = blocked ? std::string("highest_risk_level") : charge.failure->decline_code;
  outcome["seller_message"] =
      blocked ? "Stripe blocked this payment as too risky." : "The bank declined the payment.";
  outcome["type"] = blocked ? "blocked" : "issuer_declined";
  return outcome;
}

json::object redirect_json(const PaymentIntent& intent) {
  if (intent.return_url.empty()) {
    return {{"type", "use_stripe_sdk"}, {"use_stripe_sdk", json::object()}};
  }
  return {{"type", "redirect_to_url"},
          {"redirect_to_url",
           {{"return_url", intent.return_url},
            {"url", fmt::format("https://hooks.stripe.com/3d_secure_2/{}", intent.id)}}}};
}

// The methods' names in an id's place, with the object where it is asked for.
template <class Object>
json::value reference(const std::string& id, const Object* object) {
  if (object == nullptr) return or_null(id);
  return to_json(*object);
}

json::value charge_reference(const PaymentIntent& intent, Ledger& ledger, bool expanded) {
  const Charge* charge = expanded ? ledger.charges.find(intent.latest_charge) : nullptr;
  if (charge == nullptr) return or_null(intent.latest_charge);
  return to_json(*charge, intent, ledger);
}

}  // namespace

json::object to_json(const Charge& charge, const PaymentIntent& intent, Ledger& ledger) {
  const PaymentMethod* method = ledger.payment_methods.find(charge.payment_method);
  const bool approved = !charge.failure;
  const std::int64_t refunded = charge.amount_refunded + charge.amount_released;
  json::object out{{"id", charge.id},
                   {"object", "charge"},
                   {"amount", charge.amount},
                   {"amount_captured", charge.amount_captured},
                   {"amount_refunded", refunded},
                   {"application", nullptr},
                   {"application_fee", nullptr},
                   {"application_fee_amount", nullptr},
                   {"balance_transaction", nullptr},
                   {"captured", charge.captured},
                   {"created", charge.created_s},
                   {"currency", intent.currency},
                   {"customer", or_null(intent.customer)},
                   {"description", or_null(intent.description)},
                   {"disputed", false},
                   {"failure_code", approved ? json::value() : or_null(charge.failure->code)},
                   {"failure_message", approved ? json::value() : or_null(charge.failure->message)},
                   {"fraud_details", json::object()},
                   {"livemode", false},
                   {"metadata", metadata_json(intent.metadata)},
                   {"outcome", outcome_json(charge, method ? method->card.behavior : nullptr)},
                   {"paid", approved},
                   {"payment_intent", charge.payment_intent},
                   {"payment_method", charge.payment_method}};
  out["billing_details"] = method != nullptr ? billing_json(*method) : json::object();
  if (method != nullptr) {
    out["payment_method_details"] = {{"card", charged_card_json(*method, charge)},
                                     {"type", "card"}};
  }
  out["refunded"] = refunded == charge.amount;
  out["status"] = approved ? "succeeded" : "failed";
  return out;
}

json::object to_json(const PaymentIntent& intent, Ledger& ledger, const Expansion& expansion,
                     std::string_view prefix) {
  const auto asks = [&](std::string_view property) {
    return expansion.has(fmt::format("{}{}", prefix, property));
  };
  const Customer* customer =
      asks("customer") ? ledger.customer(intent.account, intent.customer) : nullptr;
  const PaymentMethod* method = asks("payment_method")
                                    ? ledger.payment_method(intent.account, intent.payment_method)
                                    : nullptr;
  json::object out{{"id", intent.id},
                   {"object", "payment_intent"},
                   {"amount", intent.amount},
                   {"amount_capturable", intent.amount_capturable},
                   {"amount_details", {{"tip", json::object()}}},
                   {"amount_received", intent.amount_received},
                   {"application", nullptr},
                   {"application_fee_amount", nullptr},
                   {"automatic_payment_methods", nullptr},
                   {"canceled_at", or_null(intent.canceled_at_s)},
                   {"cancellation_reason", or_null(intent.cancellation_reason)},
                   {"capture_method", intent.capture_method},
                   {"client_secret", intent.client_secret},
                   {"confirmation_method", intent.confirmation_method},
                   {"created", intent.created_s},
                   {"currency", intent.currency},
                   {"customer", reference(intent.customer, customer)},
                   {"description", or_null(intent.description)},
                   {"last_payment_error", nullptr},
                   {"latest_charge", charge_reference(intent, ledger, asks("latest_charge"))},
                   {"livemode", false},
                   {"metadata", metadata_json(intent.metadata)},
                   {"next_action", nullptr},
                   {"on_behalf_of", nullptr},
                   {"payment_method", reference(intent.payment_method, method)},
                   {"payment_method_options", json::object()},
                   {"payment_method_types", json::array{"card"}},
                   {"processing", nullptr},
                   {"receipt_email", or_null(intent.receipt_email)},
                   {"review", nullptr},
                   {"setup_future_usage", or_null(intent.setup_future_usage)},
                   {"shipping", nullptr},
                   {"source", nullptr},
                   {"statement_descriptor", or_null(intent.statement_descriptor)},
                   {"statement_descriptor_suffix", or_null(intent.statement_descriptor_suffix)},
                   {"status", intent.status},
                   {"transfer_data", nullptr},
                   {"transfer_group", nullptr}};
  if (intent.automatic_payment_methods) out["automatic_payment_methods"] = {{"enabled", true}};
  if (intent.last_error) out["last_payment_error"] = details_of(*intent.last_error);
  if (intent.status == "requires_action") out["next_action"] = redirect_json(intent);
  return out;
}

}  // namespace strongroom::simulators::stripe

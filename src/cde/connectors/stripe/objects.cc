// Reading Stripe's objects.
#include "cde/connectors/stripe/objects.h"

#include <boost/json/string.hpp>
#include <utility>

#include "cde/connectors/stripe/decline.h"
#include "payments/pay_message.h"
#include "wire/json.h"

namespace strongroom::cde::stripe {
namespace {

namespace json = boost::json;

// An id as it may go into a path again: of one kind, and of an id's letters.
std::string id_of(const json::object& object, std::string_view key, std::string_view prefix) {
  const std::string_view id = text_of(object, key);
  const bool sound = id.starts_with(prefix) && payments::is_processor_reference(id);
  return sound ? std::string(id) : std::string();
}

// An intent's client_secret begins with its id: an answer whose parts are of two payments is none.
bool is_of_one_piece(const json::object& object, const std::string& id) {
  const std::string_view secret = text_of(object, "client_secret");
  return secret.empty() || secret.starts_with(id + "_secret_");
}

bool is_kind(const json::object& object, std::string_view kind) {
  return text_of(object, "object") == kind;
}

std::string reference_of(const json::object& object) {
  const json::object* metadata = object_of(object, "metadata");
  const std::string_view text = metadata == nullptr ? "" : text_of(*metadata, kReferenceKey);
  return payments::is_reference(text) ? std::string(text) : std::string();
}

}  // namespace

Document::Document(std::string_view body) {
  auto parsed = wire::parse_strict(body, {});
  if (parsed) value_ = *std::move(parsed);
}

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

const json::object* object_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

std::int64_t integer_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? -1 : *number;
}

std::optional<PaymentIntent> read_payment_intent(const json::object& object) {
  PaymentIntent intent{.id = id_of(object, "id", "pi_"),
                       .status = std::string(text_of(object, "status")),
                       .amount = integer_of(object, "amount"),
                       .amount_received = integer_of(object, "amount_received"),
                       .currency = std::string(text_of(object, "currency")),
                       .customer = std::string(text_of(object, "customer")),
                       .payment_method = std::string(text_of(object, "payment_method")),
                       .reference = reference_of(object)};
  if (!is_kind(object, "payment_intent") || intent.id.empty() || intent.amount < 0 ||
      intent.amount_received < 0 || !is_of_one_piece(object, intent.id)) {
    return std::nullopt;
  }
  if (const json::object* error = object_of(object, "last_payment_error")) {
    intent.declined = decline_of(text_of(*error, "decline_code"), text_of(*error, "code"));
  }
  return intent;
}

std::optional<Refund> read_refund(const json::object& object) {
  Refund refund{.id = id_of(object, "id", "re_"),
                .status = std::string(text_of(object, "status")),
                .amount = integer_of(object, "amount"),
                .currency = std::string(text_of(object, "currency")),
                .payment_intent = std::string(text_of(object, "payment_intent")),
                .reference = reference_of(object),
                .failure_reason = std::string(text_of(object, "failure_reason"))};
  if (!is_kind(object, "refund") || refund.id.empty() || refund.amount < 0) return std::nullopt;
  return refund;
}

std::optional<PaymentMethod> read_payment_method(const json::object& object) {
  const json::object* card = object_of(object, "card");
  PaymentMethod method{.id = id_of(object, "id", "pm_"),
                       .customer = std::string(text_of(object, "customer")),
                       .last4 = std::string(card == nullptr ? "" : text_of(*card, "last4"))};
  if (!is_kind(object, "payment_method") || method.id.empty()) return std::nullopt;
  return method;
}

std::string read_customer(const json::object& object) {
  const json::value* deleted = object.if_contains("deleted");
  const bool gone = deleted != nullptr && deleted->is_bool() && deleted->get_bool();
  return is_kind(object, "customer") && !gone ? id_of(object, "id", "cus_") : std::string();
}

}  // namespace strongroom::cde::stripe

// Stripe's objects as far as we use them, read from answers that may be anything: a member of
// another type counts as absent, an object of another kind is none.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "payments/decline.h"
#include "payments/money.h"

namespace strongroom::cde::stripe {

// The metadata key under which Stripe keeps our reference of a payment or refund.
inline constexpr std::string_view kReferenceKey = "strongroom_reference";

// The JSON of an answer, in memory of its own; empty for what is no object.
class Document {
 public:
  explicit Document(std::string_view body);
  [[nodiscard]] const boost::json::object* object() const noexcept { return value_.if_object(); }

 private:
  boost::json::value value_;
};

// Views into the object; empty where the member is absent.
[[nodiscard]] std::string_view text_of(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::object* object_of(const boost::json::object& object,
                                                   std::string_view key);
// Negative where the member is absent.
[[nodiscard]] std::int64_t integer_of(const boost::json::object& object, std::string_view key);

struct PaymentIntent {
  std::string id;
  std::string status;
  std::int64_t amount = 0;  // Stripe's units, as all amounts here
  std::int64_t amount_received = 0;
  std::string currency;  // "usd"
  std::string customer;
  std::string payment_method;
  std::string reference;                        // ours; empty: not made through us
  std::optional<payments::Decline> declined{};  // of last_payment_error
};
[[nodiscard]] std::optional<PaymentIntent> read_payment_intent(const boost::json::object& object);

struct Refund {
  std::string id;
  std::string status;
  std::int64_t amount = 0;
  std::string currency;
  std::string payment_intent;
  std::string reference;  // ours; empty: not made through us
  std::string failure_reason;
};
[[nodiscard]] std::optional<Refund> read_refund(const boost::json::object& object);

struct PaymentMethod {
  std::string id;
  std::string customer;  // empty: not attached
  std::string last4;
};
[[nodiscard]] std::optional<PaymentMethod> read_payment_method(const boost::json::object& object);

// The id of a customer that is there; empty for anything else.
[[nodiscard]] std::string read_customer(const boost::json::object& object);

}  // namespace strongroom::cde::stripe

// Ledger: all that the sandbox knows, and the objects in it. Plain data: the rules are in the files
// of the objects (payment_intents.cc, refunds.cc, ...).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "simulators/bounded_map.h"
#include "simulators/stripe/api_error.h"
#include "simulators/stripe/card.h"

namespace strongroom::simulators::stripe {

using Metadata = std::map<std::string, std::string, std::less<>>;

struct PostalAddress {
  std::string city{};
  std::string country{};
  std::string line1{};
  std::string line2{};
  std::string postal_code{};
  std::string state{};
};

struct Customer {
  std::string id{};
  std::string account{};  // whose key made it: other keys do not see it
  std::int64_t created_s = 0;
  std::string name{};
  std::string email{};
  std::string phone{};
  std::string description{};
  PostalAddress address{};
  Metadata metadata{};
  bool deleted = false;
};

struct PaymentMethod {
  std::string id{};
  std::string account{};
  std::int64_t created_s = 0;
  Card card{};
  std::string name{};  // of the billing details
  std::string email{};
  std::string phone{};
  PostalAddress address{};
  Metadata metadata{};
  std::string customer{};  // empty: not attached
  bool spent = false;      // charged without a customer, or detached: never to be used again
};

struct Charge {
  std::string id{};
  std::string account{};
  std::int64_t created_s = 0;
  std::string payment_intent{};
  std::string payment_method{};
  std::int64_t amount = 0;  // minor units, like all amounts here
  std::int64_t amount_captured = 0;
  std::int64_t amount_refunded = 0;  // by refunds that were asked for
  std::int64_t amount_released = 0;  // of the authorization; the API shows it as refunded, too
  bool captured = false;
  bool reversed = false;              // the authorization was given up before capture
  std::optional<ApiError> failure{};  // declined
};

struct PaymentIntent {
  std::string id{};
  std::string account{};
  std::string client_secret{};
  std::int64_t created_s = 0;
  std::int64_t changed_us = 0;  // search finds a change only some time later
  std::int64_t amount = 0;
  std::int64_t amount_capturable = 0;
  std::int64_t amount_received = 0;
  std::string currency{};
  std::string status = "requires_payment_method";
  std::string capture_method = "automatic";
  std::string confirmation_method = "automatic";
  std::string customer{};
  std::string payment_method{};
  std::string latest_charge{};
  std::string description{};
  std::string receipt_email{};
  std::string statement_descriptor{};
  std::string statement_descriptor_suffix{};
  std::string setup_future_usage{};
  std::string return_url{};
  std::string cancellation_reason{};
  std::int64_t canceled_at_s = 0;
  bool automatic_payment_methods = false;
  Metadata metadata{};
  std::optional<ApiError> last_error{};
};

struct Refund {
  std::string id{};
  std::string account{};
  std::int64_t created_s = 0;
  std::string charge{};
  std::string payment_intent{};
  std::int64_t amount = 0;
  std::string currency{};
  std::string reason{};
  std::string status = "succeeded";
  RefundCourse course = RefundCourse::succeeds;
  bool released = false;  // nobody asked for it: what a capture or a cancellation gave back
  Metadata metadata{};
};

// One thread at a time. `random` and `clock` outlive it.
class Ledger {
 public:
  // At most `objects_max` objects of each kind. exhausted: no secret memory for the salt of the
  // fingerprints.
  [[nodiscard]] static Result<Ledger> create(crypto::Random& random, const Clock& clock,
                                             std::size_t objects_max);

  // The object with `id` if `account` made it, else null.
  [[nodiscard]] Customer* customer(std::string_view account, std::string_view id);
  [[nodiscard]] PaymentMethod* payment_method(std::string_view account, std::string_view id);
  [[nodiscard]] PaymentIntent* payment_intent(std::string_view account, std::string_view id);
  [[nodiscard]] Charge* charge(std::string_view account, std::string_view id);
  [[nodiscard]] Refund* refund(std::string_view account, std::string_view id);

  // A random id that begins with `prefix`.
  [[nodiscard]] std::string new_id(std::string_view prefix);
  [[nodiscard]] std::int64_t now_us() const { return clock_.now_us(); }
  [[nodiscard]] std::int64_t now_s() const { return clock_.now_us() / 1'000'000; }
  [[nodiscard]] CardReader card_reader() const { return {.salt = salt_, .now_s = now_s()}; }

  BoundedMap<Customer> customers;
  BoundedMap<PaymentMethod> payment_methods;
  BoundedMap<PaymentIntent> payment_intents;
  BoundedMap<Charge> charges;
  BoundedMap<Refund> refunds;

 private:
  Ledger(crypto::Random& random, const Clock& clock, std::size_t objects_max, SecretBytes salt);
  crypto::Random& random_;
  const Clock& clock_;
  SecretBytes salt_;
};

}  // namespace strongroom::simulators::stripe

// Verdicts: what an answer of Stripe's means for what was asked. Pure; everything that is not sure
// is `unknown`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cde/connectors/stripe/objects.h"
#include "http/client.h"
#include "payments/pay_message.h"

namespace strongroom::cde::stripe {

// A charge as it was asked for: an answer must be about this very one.
struct ExpectedCharge {
  std::int64_t amount;  // Stripe's units
  std::string currency;
  std::string_view customer;
  std::string_view payment_method;
  std::string_view reference;
  bool captured;  // a sale
  bool settle;
};
[[nodiscard]] payments::PayAnswer judge_charge(const http::ClientResponse& response,
                                               const ExpectedCharge& expected);

// A capture or void of the payment intent `id`.
struct ExpectedChange {
  std::string_view id;
  std::optional<std::int64_t> amount;  // to be captured
  std::string_view status;             // that the intent must show: "succeeded", "canceled"
  bool settle;
};
[[nodiscard]] payments::PayAnswer judge_change(const http::ClientResponse& response,
                                               const ExpectedChange& expected);

struct ExpectedRefund {
  std::string_view payment_intent;
  std::optional<std::int64_t> amount;
  std::string currency;
  std::string_view reference;
  bool settle;
};
[[nodiscard]] payments::PayAnswer judge_refund(const http::ClientResponse& response,
                                               const ExpectedRefund& expected);

// What a status that is not 200 means, whatever was asked. `settle`: as in Charge.
[[nodiscard]] payments::PayAnswer judge_refusal(const http::ClientResponse& response, bool settle);

// How a refund came out that Stripe shows as it is now.
[[nodiscard]] payments::OperationOutcome outcome_of(const Refund& refund) noexcept;

}  // namespace strongroom::cde::stripe

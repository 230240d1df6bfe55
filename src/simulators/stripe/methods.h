// The methods of the API that this simulator plays, one function each: from a checked form to an
// object or a refusal. No transport, no idempotency, no faults.
#pragma once

#include <string_view>

#include "simulators/stripe/api_error.h"
#include "simulators/stripe/form.h"
#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

// SearchOptions: how long a change stays unseen by search, which is not up to date at once.
struct SearchOptions {
  std::int64_t delay_us = 0;
};

// Call is one request. REQUIRES: check_parameters() found nothing wrong with `form`.
struct Call {
  Ledger& ledger;
  std::string_view account;
  const Form& form;
  std::string_view id{};       // of the object in the path
  std::string_view decline{};  // the issuer's answer to a charge, by a fault; empty: the card's own
  SearchOptions search{};
};

[[nodiscard]] Reply create_customer(const Call& call);
[[nodiscard]] Reply get_customer(const Call& call);
[[nodiscard]] Reply delete_customer(const Call& call);

[[nodiscard]] Reply create_payment_method(const Call& call);
[[nodiscard]] Reply get_payment_method(const Call& call);
[[nodiscard]] Reply attach_payment_method(const Call& call);
[[nodiscard]] Reply detach_payment_method(const Call& call);

[[nodiscard]] Reply create_payment_intent(const Call& call);
[[nodiscard]] Reply confirm_payment_intent(const Call& call);
[[nodiscard]] Reply capture_payment_intent(const Call& call);
[[nodiscard]] Reply cancel_payment_intent(const Call& call);
[[nodiscard]] Reply get_payment_intent(const Call& call);
[[nodiscard]] Reply search_payment_intents(const Call& call);

[[nodiscard]] Reply create_refund(const Call& call);
[[nodiscard]] Reply get_refund(const Call& call);
[[nodiscard]] Reply list_refunds(const Call& call);

// Gives `amount` of an authorization back, as the API does: by a refund that nobody asked for.
void release(Ledger& ledger, const PaymentIntent& intent, Charge& charge, std::int64_t amount);

// The metadata in `form`; at most 50 members with names of at most 40 bytes. Empty values, which
// unset, are left out.
[[nodiscard]] std::expected<Metadata, ApiError> read_metadata(const Form& form);
// A text of `form`, empty when it is absent.
[[nodiscard]] std::string text_of(const Form& form, std::string_view name);
[[nodiscard]] PostalAddress read_address(const Form& form, std::string_view prefix);

// The PaymentMethod with `id`, or a new one for the id of a test card; 404.
[[nodiscard]] std::expected<PaymentMethod*, ApiError> find_payment_method(const Call& call,
                                                                          std::string_view id);
// Why `method` cannot pay for `customer` (empty: nobody), if it cannot.
[[nodiscard]] std::optional<ApiError> check_usable(const PaymentMethod& method,
                                                   std::string_view customer);

}  // namespace strongroom::simulators::stripe

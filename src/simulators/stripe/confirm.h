// Confirming a PaymentIntent: the one place where money moves.
#pragma once

#include <optional>

#include "simulators/stripe/api_error.h"
#include "simulators/stripe/methods.h"

namespace strongroom::simulators::stripe {

// Why `intent` cannot be confirmed (again), if it cannot.
[[nodiscard]] std::optional<ApiError> check_confirmable(const PaymentIntent& intent,
                                                        Ledger& ledger);

// Charges the intent's payment method as its card behaves and brings the intent into the state that
// follows: succeeded, requires_capture, requires_action, or, with the 402 that this returns, back
// to requires_payment_method. REQUIRES: the intent has a payment method that is usable.
[[nodiscard]] std::optional<ApiError> confirm(const Call& call, PaymentIntent& intent);

}  // namespace strongroom::simulators::stripe

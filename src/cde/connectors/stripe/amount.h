// Amounts as Stripe counts them: ISO 4217's minor units but for the currencies that its
// documentation names ("Supported currencies", zero-decimal, three-decimal and special cases).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "payments/money.h"

namespace strongroom::cde::stripe {

// invalid_argument: Stripe has no form for this amount (a fraction of ISK, MGA or UGX, a last digit
// of a three-decimal currency that is not 0, a currency of other decimals than it knows).
[[nodiscard]] Result<std::int64_t> to_stripe(const payments::Money& money) noexcept;
// The minor units that Stripe's `amount` stands for; empty when it stands for none.
[[nodiscard]] std::optional<std::int64_t> from_stripe(std::int64_t amount,
                                                      const payments::Currency& currency) noexcept;
// "usd"
[[nodiscard]] std::string currency_text(const payments::Currency& currency);

}  // namespace strongroom::cde::stripe

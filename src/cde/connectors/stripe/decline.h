// Stripe's decline codes in our vocabulary (docs/connectors.md has the table).
#pragma once

#include <string_view>

#include "payments/decline.h"

namespace strongroom::cde::stripe {

// The decline that an error's `decline_code`, else its `code`, stands for; either may be empty. A
// code that is not in the table is taken for one that may pass, as Stripe advises for codes that
// are new; one that is not even of a code's form is named "unknown".
[[nodiscard]] payments::Decline decline_of(std::string_view decline_code, std::string_view code);

// A Decline of `decline_class` with Stripe's word for it, or "unknown".
[[nodiscard]] payments::Decline decline_as(payments::DeclineClass decline_class,
                                           std::string_view code);

}  // namespace strongroom::cde::stripe

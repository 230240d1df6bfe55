// The answer that a confused processor gives: another payment's in the place of the right one.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

// `object`, a payment, refund or search result of `account`, as it would be of the account's newest
// other payment, or, where it has none, under an id that is nobody's.
[[nodiscard]] boost::json::object of_another_payment(Ledger& ledger, std::string_view account,
                                                     boost::json::object object);

}  // namespace strongroom::simulators::stripe

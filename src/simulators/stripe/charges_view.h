// What really happened at the processor, whatever its clients were told: for tests.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>

#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

// {"count":N,"charges":[{"id","account","payment_intent","status","amount","amount_captured",
// "amount_refunded" (by those who asked for
// it),"currency","metadata","refunds":[{"id","amount","status","metadata"}]}]}, the newest first,
// at most `limit` of them (1,000 unless it is said). Status: authorized, captured, reversed or
// declined. `count` is of all.
[[nodiscard]] boost::json::object charges_view(Ledger& ledger, std::optional<std::int64_t> limit);

}  // namespace strongroom::simulators::stripe

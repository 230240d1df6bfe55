// By the member that names the payment: a refund's `payment_intent`, a payment's `id`.
#include "simulators/stripe/another_payment.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>

#include "simulators/stripe/render.h"

namespace strongroom::simulators::stripe {
namespace {

// Null when `account` has made no payment but `own`.
const PaymentIntent* newest_other(Ledger& ledger, std::string_view account,
                                  const boost::json::value& own) {
  const auto& ids = ledger.payment_intents.keys();
  const auto other = std::ranges::find_if(ids.rbegin(), ids.rend(), [&](const std::string& id) {
    return ledger.payment_intent(account, id) != nullptr && own != boost::json::value(id);
  });
  return other == ids.rend() ? nullptr : ledger.payment_intent(account, *other);
}

}  // namespace

boost::json::object of_another_payment(Ledger& ledger, std::string_view account,
                                       boost::json::object object) {
  if (boost::json::value* found = object.if_contains("data")) {  // of a search
    const PaymentIntent* other = newest_other(ledger, account, nullptr);
    found->emplace_array();
    if (other != nullptr) found->get_array().push_back(to_json(*other, ledger));
    return object;
  }
  const bool refund = object.contains("payment_intent");
  boost::json::value& own = object[refund ? "payment_intent" : "id"];
  const PaymentIntent* other = newest_other(ledger, account, own);
  if (other != nullptr && !refund) return to_json(*other, ledger);
  own = other != nullptr ? other->id : ledger.new_id("pi_");
  if (refund) object["charge"] = ledger.new_id("ch_");
  return object;
}

}  // namespace strongroom::simulators::stripe

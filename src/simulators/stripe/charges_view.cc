// A table of all charges, joined with their intents and refunds.
#include "simulators/stripe/charges_view.h"

#include <boost/json/array.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "simulators/stripe/render_parts.h"

namespace strongroom::simulators::stripe {
namespace {

namespace json = boost::json;

constexpr std::int64_t kChargesDefault = 1'000;

std::string_view status_of(const Charge& charge) noexcept {
  if (charge.failure) return "declined";
  if (charge.reversed) return "reversed";
  return charge.captured ? "captured" : "authorized";
}

std::map<std::string, json::array, std::less<>> refunds_by_charge(Ledger& ledger) {
  std::map<std::string, json::array, std::less<>> found;
  for (const std::string& key : ledger.refunds.keys()) {
    const Refund& refund = *ledger.refunds.find(key);
    if (refund.released) continue;
    found[refund.charge].push_back(json::object{{"id", refund.id},
                                                {"amount", refund.amount},
                                                {"status", refund.status},
                                                {"metadata", metadata_json(refund.metadata)}});
  }
  return found;
}

}  // namespace

json::object charges_view(Ledger& ledger, std::optional<std::int64_t> limit) {
  auto refunds = refunds_by_charge(ledger);
  json::array charges;
  const auto& keys = ledger.charges.keys();
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    if (std::cmp_greater_equal(charges.size(), limit.value_or(kChargesDefault))) break;
    const Charge& charge = *ledger.charges.find(*key);
    const PaymentIntent* intent = ledger.payment_intents.find(charge.payment_intent);
    charges.push_back(
        json::object{{"id", charge.id},
                     {"account", charge.account},
                     {"payment_intent", charge.payment_intent},
                     {"status", status_of(charge)},
                     {"amount", charge.amount},
                     {"amount_captured", charge.amount_captured},
                     {"amount_refunded", charge.amount_refunded},
                     {"currency", intent != nullptr ? intent->currency : ""},
                     {"metadata", metadata_json(intent != nullptr ? intent->metadata : Metadata())},
                     {"refunds", std::move(refunds[charge.id])}});
  }
  return {{"count", keys.size()}, {"charges", std::move(charges)}};
}

}  // namespace strongroom::simulators::stripe

// Refunds of captured charges, in one piece or several.
#include <algorithm>

#include "simulators/stripe/methods.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::int64_t kSettlesAfterS = 1;
constexpr std::int64_t kPageMax = 100;
constexpr std::int64_t kPageDefault = 10;

// The charge that is to be refunded.
std::expected<Charge*, ApiError> find_charge(const Call& call) {
  const auto charge_id = call.form.value("charge");
  const auto intent_id = call.form.value("payment_intent");
  if (!charge_id && !intent_id) {
    return std::unexpected(
        invalid_request("One of the following params should be provided for "
                        "this request: payment_intent or charge.",
                        {}, "parameter_missing"));
  }
  if (intent_id) {
    const PaymentIntent* intent = call.ledger.payment_intent(call.account, *intent_id);
    if (intent == nullptr) return std::unexpected(no_such("payment_intent", "payment_intent"));
    Charge* charge = call.ledger.charge(call.account, intent->latest_charge);
    if (charge == nullptr || charge->failure || !charge->captured) {
      return std::unexpected(
          invalid_request("This PaymentIntent does not have a successful charge to refund."));
    }
    return charge;
  }
  Charge* charge = call.ledger.charge(call.account, *charge_id);
  if (charge == nullptr) return std::unexpected(no_such("charge", "charge"));
  if (charge->failure || !charge->captured) {
    return std::unexpected(invalid_request("This charge was not captured.", "charge"));
  }
  return charge;
}

std::expected<std::int64_t, ApiError> read_amount(const Form& form, const Charge& charge) {
  const std::int64_t left = charge.amount_captured - charge.amount_refunded;
  if (left == 0) {
    return std::unexpected(invalid_request("Charge " + charge.id + " has already been refunded.",
                                           {}, "charge_already_refunded"));
  }
  const std::int64_t amount = parse_integer(form.value("amount").value_or("")).value_or(left);
  if (amount < 1) {
    return std::unexpected(invalid_request("This value must be greater than or equal to 1.",
                                           "amount", "parameter_invalid_integer"));
  }
  if (amount > left) {
    return std::unexpected(
        invalid_request("Refund amount is greater than unrefunded amount on charge.", "amount"));
  }
  return amount;
}

// What time does to the refunds of two test cards.
void advance(const Call& call, Refund& refund) {
  if (call.ledger.now_s() < refund.created_s + kSettlesAfterS) return;
  if (refund.course == RefundCourse::pends) refund.status = "succeeded";
  if (refund.course != RefundCourse::fails || refund.status == "failed") return;
  refund.status = "failed";
  if (Charge* charge = call.ledger.charge(call.account, refund.charge)) {
    charge->amount_refunded -= refund.amount;
  }
}

bool is_asked_for(const Call& call, const Refund& refund) {
  const auto charge = call.form.value("charge");
  const auto intent = call.form.value("payment_intent");
  return refund.account == call.account && (!charge || *charge == refund.charge) &&
         (!intent || *intent == refund.payment_intent);
}

}  // namespace

void release(Ledger& ledger, const PaymentIntent& intent, Charge& charge, std::int64_t amount) {
  if (amount == 0) return;
  charge.amount_released += amount;
  const std::string id = ledger.new_id("re_");
  ledger.refunds.put(id, {.id = id,
                          .account = intent.account,
                          .created_s = ledger.now_s(),
                          .charge = charge.id,
                          .payment_intent = intent.id,
                          .amount = amount,
                          .currency = intent.currency,
                          .released = true});
}

Reply create_refund(const Call& call) {
  if (auto expansion = Expansion::of(call.form, {}); !expansion) {
    return std::unexpected(expansion.error());
  }
  auto metadata = read_metadata(call.form);
  if (!metadata) return std::unexpected(metadata.error());
  auto charge = find_charge(call);
  if (!charge) return std::unexpected(charge.error());
  auto amount = read_amount(call.form, **charge);
  if (!amount) return std::unexpected(amount.error());
  const PaymentIntent* intent = call.ledger.payment_intent(call.account, (*charge)->payment_intent);
  const PaymentMethod* method = call.ledger.payment_method(call.account, (*charge)->payment_method);
  Refund refund{.id = call.ledger.new_id("re_"),
                .account = std::string(call.account),
                .created_s = call.ledger.now_s(),
                .charge = (*charge)->id,
                .payment_intent = (*charge)->payment_intent,
                .amount = *amount,
                .currency = intent != nullptr ? intent->currency : "",
                .reason = text_of(call.form, "reason"),
                .metadata = *std::move(metadata)};
  if (method != nullptr) refund.course = method->card.behavior->refund;
  if (refund.course == RefundCourse::pends) refund.status = "pending";
  (*charge)->amount_refunded += *amount;
  const std::string id = refund.id;
  return to_json(call.ledger.refunds.put(id, std::move(refund)));
}

Reply get_refund(const Call& call) {
  Refund* refund = call.ledger.refund(call.account, call.id);
  if (refund == nullptr) return std::unexpected(no_such("refund", "id"));
  advance(call, *refund);
  return to_json(*refund);
}

// The newest first.
Reply list_refunds(const Call& call) {
  const std::int64_t limit =
      std::clamp(parse_integer(call.form.value("limit").value_or("")).value_or(kPageDefault),
                 std::int64_t{1}, kPageMax);
  const auto after = call.form.value("starting_after");
  boost::json::array data;
  bool begun = !after;
  bool more = false;
  const auto& keys = call.ledger.refunds.keys();
  for (auto key = keys.rbegin(); key != keys.rend() && !more; ++key) {
    Refund& refund = *call.ledger.refunds.find(*key);
    if (!is_asked_for(call, refund)) continue;
    if (begun) {
      more = std::cmp_equal(data.size(), limit);
      advance(call, refund);
      if (!more) data.push_back(to_json(refund));
    }
    begun = begun || *after == refund.id;
  }
  return boost::json::object{
      {"object", "list"}, {"data", std::move(data)}, {"has_more", more}, {"url", "/v1/refunds"}};
}

}  // namespace strongroom::simulators::stripe

// The way back from a lost answer: find the charge, see how it and its refunds stand.
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "cde/connectors/stripe/amount.h"
#include "cde/connectors/stripe/objects.h"
#include "cde/connectors/stripe/stripe_connector.h"
#include "cde/connectors/stripe/verdict.h"

namespace strongroom::cde::stripe {
namespace {

namespace json = boost::json;
using payments::LookUpAnswer;
using payments::OperationOutcome;
using Status = payments::ProcessorView::Status;

// Stripe's search shows what is new within a minute, and in its bad hours within the hour.
constexpr std::chrono::seconds kSearchLag = std::chrono::hours(1);

// Where an intent stands. unknown: on its way somewhere.
struct Standing {
  OperationOutcome outcome;
  Status status;
};
Standing standing_of(const PaymentIntent& intent) {
  const std::string_view status = intent.status;
  if (status == "requires_capture") return {OperationOutcome::approved, Status::authorized};
  if (status == "succeeded") return {OperationOutcome::approved, Status::captured};
  if (status == "canceled") return {OperationOutcome::approved, Status::voided};
  const bool refused = status == "requires_payment_method" && intent.declined;
  if (refused || status == "requires_action") return {OperationOutcome::declined, Status::declined};
  return {OperationOutcome::unknown, Status::absent};
}

std::optional<payments::Currency> currency_of(std::string_view text) {
  std::string code(text);
  for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : '?';
  const auto currency = payments::Currency::parse(code);
  return currency ? std::optional(*currency) : std::nullopt;
}

const json::array* data_of(const json::object* list) {
  const json::value* data = list == nullptr ? nullptr : list->if_contains("data");
  return data == nullptr ? nullptr : data->if_array();
}

// Empty when an amount of it is of no currency's form.
std::optional<LookUpAnswer> answer_of(const PaymentIntent& intent,
                                      const payments::Currency& currency) {
  const auto amount = from_stripe(intent.amount, currency);
  const auto received = from_stripe(intent.amount_received, currency);
  if (!amount || !received) return std::nullopt;
  const Standing standing = standing_of(intent);
  LookUpAnswer answer;
  answer.outcome = standing.outcome;
  answer.processor_reference = intent.id;
  answer.status = standing.status;
  answer.amount = *amount;
  answer.amount_captured = *received;
  if (standing.outcome == OperationOutcome::declined) {
    answer.decline = intent.declined.value_or(payments::Decline{
        payments::DeclineClass::authentication_needed, "authentication_required"});
  }
  return answer;
}

// What a partial capture releases stands among the refunds, and nobody asked for it: an approved
// one without our reference, of just the amount that was not captured.
bool is_released(const Refund& refund, std::int64_t amount, const LookUpAnswer& answer) {
  return refund.reference.empty() && outcome_of(refund) == OperationOutcome::approved &&
         amount == answer.amount - answer.amount_captured;
}

// False when the list is not one of this charge's refunds, all of them.
bool read_refunds(const http::ClientResponse& response, const payments::Currency& currency,
                  LookUpAnswer& answer) {
  const Document document(response.body);
  const json::array* data = data_of(document.object());
  if (response.status != 200 || data == nullptr) return false;
  const json::value* more = document.object()->if_contains("has_more");
  if (more == nullptr || *more != false || data->size() > payments::kLookUpRefundsMax) return false;
  bool release_seen = answer.amount == answer.amount_captured;
  for (const json::value& element : *data) {
    const auto refund = element.is_object() ? read_refund(element.get_object()) : std::nullopt;
    const auto amount = refund ? from_stripe(refund->amount, currency) : std::nullopt;
    if (!amount || refund->payment_intent != answer.processor_reference) return false;
    if (!release_seen && is_released(*refund, *amount, answer)) {
      release_seen = true;  // there is one: what equals it is a refund made elsewhere
      continue;
    }
    const OperationOutcome outcome = outcome_of(*refund);
    if (outcome == OperationOutcome::approved) answer.amount_refunded += *amount;
    answer.refunds.push_back({refund->reference, refund->id, *amount, outcome});
  }
  return true;
}

}  // namespace

// The id of the charge's intent: given, or searched for by our reference. Empty when there is none
// that can be named; then `absent` says whether it is sure that none exists.
async::Task<Result<std::string>> StripeConnector::find(const Account& account, const LookUp& what,
                                                       bool& absent) {
  absent = false;
  if (!what.processor_reference.empty()) co_return std::string(what.processor_reference);
  const std::string query =
      std::string("metadata['").append(kReferenceKey).append("']:'").append(what.reference) + "'";
  const Call call{.method = http::Method::get,
                  .target = "/v1/payment_intents/search?query=" + percent_encoded(query)};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  if (!response) {
    SR_CO_CHECK_OK(unless_sent(response.error()));
    co_return std::string();
  }
  const Document document(response->body);
  const json::array* data = data_of(document.object());
  if (response->status != 200 || data == nullptr) co_return std::string();
  absent = data->empty() && what.age >= kSearchLag;
  if (data->size() > 1) log::error("a reference stands for several payment intents");
  if (data->size() != 1 || !(*data)[0].is_object()) co_return std::string();
  const auto intent = read_payment_intent((*data)[0].get_object());
  co_return intent && intent->reference == what.reference ? intent->id : std::string();
}

async::Task<Result<LookUpAnswer>> StripeConnector::look_up(const Account& account,
                                                           const LookUp& what) {
  bool absent = false;
  SR_CO_TRY(const std::string id, co_await find(account, what, absent));
  LookUpAnswer none;
  if (absent) none.outcome = OperationOutcome::failed;
  if (!id.starts_with("pi_") || !payments::is_processor_reference(id)) co_return none;
  // What a search shows may be older than what is true.
  const Call call{.method = http::Method::get, .target = "/v1/payment_intents/" + id};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  if (!response) {
    SR_CO_CHECK_OK(unless_sent(response.error()));
    co_return LookUpAnswer{};
  }
  const Document document(response->body);
  if (response->status != 200 || document.object() == nullptr) co_return LookUpAnswer{};
  const auto intent = read_payment_intent(*document.object());
  if (!intent || intent->id != id || intent->reference != what.reference) co_return LookUpAnswer{};
  const auto currency = currency_of(intent->currency);
  auto answer = currency ? answer_of(*intent, *currency) : std::nullopt;
  if (!answer || answer->outcome == OperationOutcome::unknown) co_return LookUpAnswer{};
  if (answer->status == Status::captured) {
    const bool whole = co_await add_refunds(account, *answer, *currency);
    if (!whole) co_return LookUpAnswer{};
  }
  co_return *std::move(answer);
}

async::Task<bool> StripeConnector::add_refunds(const Account& account, LookUpAnswer& answer,
                                               const payments::Currency& currency) {
  const Call call{.method = http::Method::get,
                  .target = "/v1/refunds?limit=100&payment_intent=" + answer.processor_reference};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  co_return response&& read_refunds(*response, currency, answer);
}

}  // namespace strongroom::cde::stripe

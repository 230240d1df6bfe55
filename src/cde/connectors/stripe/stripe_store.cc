// The store role: a PaymentMethod, a Customer of its own, and the one attached to the other. The
// PaymentMethod comes first, so that a card that Stripe refuses leaves nothing behind.
#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/connectors/stripe/objects.h"
#include "cde/connectors/stripe/stripe_connector.h"
#include "cde/connectors/stripe/verdict.h"

namespace strongroom::cde::stripe {
namespace {

using payments::OperationOutcome;

constexpr std::size_t kCredentialSizeMin = 16;
constexpr std::size_t kCredentialSizeMax = 255;

StoredCard stored_as(const payments::PayAnswer& answer) {
  return {.outcome = answer.outcome, .ids = {}, .decline = answer.decline};
}
constexpr OperationOutcome kUnknown = OperationOutcome::unknown;

Result<Form> card_form(CardFields card) {
  SR_TRY(Form form, Form::create());
  form.add("type", "card")
      .add("card[number]", card.pan.reveal(PanReveal::grant()))
      .add("card[exp_month]", std::int64_t{card.expiry.month()})
      .add("card[exp_year]", std::int64_t{card.expiry.year()});
  if (card.cvc) form.add("card[cvc]", card.cvc->reveal(CvcReveal::grant()));
  if (!card.name.empty()) form.add("billing_details[name]", as_text(card.name.reveal()));
  return form;
}

bool is_credential_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The PaymentMethod of a 200 that is about this very card.
std::optional<PaymentMethod> made_of(const http::ClientResponse& response, std::string_view last4) {
  const Document document(response.body);
  if (response.status != 200 || document.object() == nullptr) return std::nullopt;
  auto method = read_payment_method(*document.object());
  if (!method || method->last4 != last4) return std::nullopt;
  return method;
}

std::string customer_of(const http::ClientResponse& response) {
  const Document document(response.body);
  if (response.status != 200 || document.object() == nullptr) return {};
  return read_customer(*document.object());
}

// Deleted now, or before: Stripe does not know a customer twice.
bool is_gone(const http::ClientResponse& response, std::string_view customer) {
  if (response.status == 404) return true;
  const Document document(response.body);
  if (response.status != 200 || document.object() == nullptr) return false;
  const boost::json::value* deleted = document.object()->if_contains("deleted");
  return text_of(*document.object(), "id") == customer && deleted != nullptr &&
         deleted->is_bool() && deleted->get_bool();
}

}  // namespace

Result<void> StripeConnector::check_credential(std::span<const std::byte> credential,
                                               Profile profile) const {
  const std::string_view text = as_text(credential);
  const bool test = text.starts_with("sk_test_") || text.starts_with("rk_test_");
  const bool live = text.starts_with("sk_live_") || text.starts_with("rk_live_");
  if ((test || live) && live != (profile == Profile::production)) {
    return fail({ErrorCode::permission_denied,
                 "the demo profile takes test keys only, the production profile live ones only"});
  }
  if ((!test && !live) || text.size() < kCredentialSizeMin || text.size() > kCredentialSizeMax ||
      !std::ranges::all_of(text, is_credential_character)) {
    return fail({ErrorCode::invalid_argument, "must be a secret or restricted key of Stripe's"});
  }
  return {};
}

// The one request with the card in it. Nothing of the card is left here when it is answered.
async::Task<Result<http::ClientResponse>> StripeConnector::send_card(
    const Account& account, CardFields card, std::string_view idempotency_key) {
  SR_CO_TRY(const Form form, card_form(std::move(card)));
  const Call call{.target = "/v1/payment_methods",
                  .form = &form,
                  .idempotency_key = key_of(account, idempotency_key, "payment-method")};
  co_return co_await api_.send(account, call);
}

async::Task<Result<StoredCard>> StripeConnector::store(const Account& account, CardFields card,
                                                       std::string_view idempotency_key) {
  const std::string last4 = card.pan.last4();
  const Result<http::ClientResponse> made =
      co_await send_card(account, std::move(card), idempotency_key);
  if (!made) {
    SR_CO_CHECK_OK(unless_sent(made.error()));
    co_return StoredCard{};
  }
  if (made->status != 200) co_return stored_as(judge_refusal(*made, false));
  const auto method = made_of(*made, last4);
  if (!method) co_return StoredCard{};
  co_return co_await attach(account, method->id, idempotency_key);
}

// From here on something was sent, so that what fails is unknown: the same key goes on from there.
async::Task<StoredCard> StripeConnector::attach(const Account& account, std::string method,
                                                std::string_view idempotency_key) {
  Result<Form> about = Form::create();
  if (!about) co_return StoredCard{};
  about->add("metadata[strongroom_account]", account.id);
  const Call make{.target = "/v1/customers",
                  .form = &*about,
                  .idempotency_key = key_of(account, idempotency_key, "customer")};
  const Result<http::ClientResponse> made = co_await api_.send(account, make);
  if (!made) co_return StoredCard{};
  if (made->status != 200) co_return stored_as(judge_refusal(*made, false));
  std::string customer = customer_of(*made);
  Result<Form> to = Form::create();
  if (customer.empty() || !to) co_return StoredCard{};
  to->add("customer", customer);
  const Call join{.target = "/v1/payment_methods/" + method + "/attach",
                  .form = &*to,
                  .idempotency_key = key_of(account, idempotency_key, "attach")};
  const Result<http::ClientResponse> joined = co_await api_.send(account, join);
  if (!joined) co_return StoredCard{};
  StoredCard stored = stored_as(judge_refusal(*joined, false));
  const Document document(joined->body);
  const auto attached = joined->status == 200 && document.object() != nullptr
                            ? read_payment_method(*document.object())
                            : std::nullopt;
  if (attached && attached->id == method && attached->customer == customer) {
    co_return StoredCard{OperationOutcome::approved, {std::move(customer), std::move(method)}, {}};
  }
  // Refused: nobody will pay with it, so nothing of it shall stay.
  if (stored.outcome != kUnknown) co_await delete_customer(account, customer);
  co_return stored;
}

async::Task<OperationOutcome> StripeConnector::delete_customer(const Account& account,
                                                               std::string customer) {
  const Call call{.method = http::Method::delete_, .target = "/v1/customers/" + customer};
  const Result<http::ClientResponse> response = co_await api_.send(account, call);
  const bool gone = response && is_gone(*response, customer);
  co_return gone ? OperationOutcome::approved : kUnknown;
}

// Detaching ends every later payment; with its customer goes what Stripe keeps of it. Whether it
// was attached still shows in the second step.
async::Task<Result<OperationOutcome>> StripeConnector::remove(const Account& account,
                                                              const std::vector<std::string>& ids) {
  SR_CO_TRY(const CardIds card, card_ids(ids));
  SR_CO_TRY(const Form nothing, Form::create());
  const std::string method(card.payment_method);
  const Call detach{.target = "/v1/payment_methods/" + method + "/detach",
                    .form = &nothing,
                    .idempotency_key = key_of(account, method, "detach")};
  const Result<http::ClientResponse> detached = co_await api_.send(account, detach);
  if (!detached) {
    SR_CO_CHECK_OK(unless_sent(detached.error()));
    co_return kUnknown;
  }
  const bool over = detached->status == 200 || detached->status == 400 || detached->status == 404;
  if (!over) co_return kUnknown;
  co_return co_await delete_customer(account, std::string(card.customer));
}

Result<CardIds> card_ids(const std::vector<std::string>& ids) noexcept {
  const bool ours = ids.size() == 2 && ids[0].starts_with("cus_") && ids[1].starts_with("pm_") &&
                    payments::is_processor_reference(ids[0]) &&
                    payments::is_processor_reference(ids[1]);
  if (!ours) return fail({ErrorCode::invalid_argument, "not the ids of a card at Stripe"});
  return CardIds{ids[0], ids[1]};
}

}  // namespace strongroom::cde::stripe

// Members in the order in which the documentation names them. Only the merchant's own reference is
// free text; metadata is JSON already.
#include "connected/gateway/json.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/clock.h"

namespace strongroom::connected::gateway {
namespace {

std::string decline_json(const std::optional<payments::Decline>& decline) {
  if (!decline) return "null";
  return fmt::format(R"({{"class":"{}","code":"{}"}})", name(decline->decline_class),
                     decline->code);
}

std::string reference_json(const std::string& reference) {
  return reference.empty() ? "null" : boost::json::serialize(boost::json::value(reference));
}

std::string_view refund_status(AttemptState state) {
  switch (state) {
    case AttemptState::pending:
      return "pending";
    case AttemptState::unknown:
      return "unknown";
    case AttemptState::approved:
      return "succeeded";
    case AttemptState::declined:
      return "declined";
    case AttemptState::failed:
      return "failed";
  }
  std::unreachable();
}

template <class Item>
std::string list_json(const std::vector<Item>& items, std::string_view next) {
  std::string data;
  for (const Item& item : items) {
    if (!data.empty()) data.push_back(',');
    data += to_json(item);
  }
  return fmt::format(R"({{"object":"list","data":[{}],"next":{}}})", data,
                     next.empty() ? "null" : fmt::format("\"{}\"", next));
}

}  // namespace

std::string to_json(const PaymentRow& row) {
  return fmt::format(
      R"({{"id":"{}","object":"payment","status":"{}","amount":{},"amount_captured":{},)"
      R"("amount_refunded":{},"currency":"{}","token":"{}","connector":"{}",)"
      R"("connector_account":"{}","reference":{},"metadata":{},"decline":{},"created_at":"{}","updated_at":"{}"}})",
      row.id, status(row.payment), row.payment.amount, row.payment.captured, row.payment.refunded,
      row.currency.code(), row.token, row.connector, row.account_id, reference_json(row.reference),
      row.metadata, decline_json(row.decline), rfc3339(row.created_at_us),
      rfc3339(row.updated_at_us));
}

std::string to_json(const PaymentPage& page) {
  return list_json(page.items, page.more ? std::string_view(page.items.back().id) : "");
}

std::string refund_json(const Done& done) {
  const AttemptRow& refund = done.attempt;
  return fmt::format(
      R"({{"id":"{}","object":"refund","payment":"{}","status":"{}","amount":{},"currency":"{}",)"
      R"("decline":{},"created_at":"{}","updated_at":"{}"}})",
      refund.id, refund.payment, refund_status(refund.state), refund.amount,
      done.payment.currency.code(), decline_json(refund.decline), rfc3339(refund.created_at_us),
      rfc3339(refund.updated_at_us));
}

std::string to_json(const Account& account) {
  return fmt::format(
      R"({{"id":"{}","object":"connector_account","connector":"{}","created_at":"{}"}})",
      account.id, account.connector, rfc3339(account.created_at_us));
}

std::string to_json(const std::vector<Account>& accounts) { return list_json(accounts, ""); }

}  // namespace strongroom::connected::gateway

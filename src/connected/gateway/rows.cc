// Columns to members and back. Reading goes through RowReader, which keeps the first fault.
#include "connected/gateway/rows.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Decline;
using storage::Row;
using storage::Value;

constexpr auto kStates =
    std::to_array<std::string_view>({"pending", "unknown", "approved", "declined", "failed"});
static_assert(kStates.size() == std::to_underlying(AttemptState::failed) + 1);

std::optional<AttemptState> parse_state(std::string_view text) noexcept {
  const auto* found = std::ranges::find(kStates, text);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<AttemptState>(found - kStates.begin());
}

std::optional<payments::Initiator> parse_initiator(std::string_view text) noexcept {
  for (const auto initiator : {payments::Initiator::customer, payments::Initiator::merchant}) {
    if (text == name(initiator)) return initiator;
  }
  return std::nullopt;
}

std::optional<payments::Currency> parse_currency(std::string_view text) noexcept {
  const auto currency = payments::Currency::parse(text);
  return currency ? std::optional(*currency) : std::nullopt;
}

// Takes a row's columns one after the other.
class RowReader {
 public:
  explicit RowReader(const Row& row) noexcept : row_(row) {}

  std::string text() {
    const auto value = next().text();
    sound_ &= value.has_value();
    return std::string(value.value_or(""));
  }
  std::int64_t integer() {
    const auto value = next().integer();
    sound_ &= value.has_value();
    return value.value_or(0);
  }
  payments::RequestFingerprint digest() {
    const auto value = next().digest<32>();
    sound_ &= value.has_value();
    return value.value_or(payments::RequestFingerprint{});
  }
  // A name out of a table; `parse` gives an optional.
  template <class Parse>
  auto named(Parse parse) {
    const auto value = parse(text());
    sound_ &= value.has_value();
    return value;
  }
  std::optional<Decline> decline() {
    const std::string class_name = text();
    std::string code = text();
    if (class_name.empty()) return std::nullopt;
    const auto decline_class = payments::parse_decline_class(class_name);
    sound_ &= decline_class.has_value();
    if (!decline_class) return std::nullopt;
    return Decline{*decline_class, std::move(code)};
  }
  [[nodiscard]] bool sound() const noexcept { return sound_; }

 private:
  const Value& next() {
    SR_CHECK(at_ < row_.size());
    return row_[at_++];
  }
  const Row& row_;
  std::size_t at_ = 0;
  bool sound_ = true;
};

void add_decline(Row& row, const std::optional<Decline>& decline) {
  row.push_back(Value::text(decline ? name(decline->decline_class) : ""));
  row.push_back(Value::text(decline ? decline->code : ""));
}

}  // namespace

std::string_view name(AttemptState state) noexcept { return kStates[std::to_underlying(state)]; }

Row to_row(const PaymentRow& payment) {
  const auto& open = payment.payment.open;
  Row row;
  row.reserve(24);
  row.push_back(Value::text(payment.id));
  row.push_back(Value::text(payment.merchant));
  row.push_back(Value::text(payment.currency.code()));
  row.push_back(Value::integer(payment.payment.amount));
  row.push_back(Value::integer(payment.payment.captured));
  row.push_back(Value::integer(payment.payment.refunded));
  row.push_back(Value::text(name(payment.payment.stage)));
  row.push_back(Value::text(payment.open_attempt));
  row.push_back(Value::text(open ? name(open->operation) : ""));
  row.push_back(Value::integer(open ? open->amount : 0));
  row.push_back(Value::integer(open && open->lost ? 1 : 0));
  row.push_back(Value::text(payment.token));
  row.push_back(Value::text(name(payment.initiator)));
  row.push_back(Value::text(payment.connector));
  row.push_back(Value::text(payment.account_id));
  row.push_back(Value::text(payment.reference));
  row.push_back(Value::text(payment.metadata));
  row.push_back(Value::text(payment.first_attempt));
  row.push_back(Value::text(payment.processor_reference));
  add_decline(row, payment.decline);
  row.push_back(Value::integer(payment.version));
  row.push_back(Value::integer(payment.created_at_us));
  row.push_back(Value::integer(payment.updated_at_us));
  return row;
}

Row to_row(const AttemptRow& attempt) {
  Row row;
  row.reserve(21);
  row.push_back(Value::text(attempt.id));
  row.push_back(Value::text(attempt.merchant));
  row.push_back(Value::text(attempt.idempotency_key));
  row.push_back(Value::digest(attempt.fingerprint));
  row.push_back(Value::text(attempt.payment));
  row.push_back(Value::text(name(attempt.operation)));
  row.push_back(Value::integer(attempt.amount));
  row.push_back(Value::text(name(attempt.state)));
  row.push_back(Value::text(attempt.owner));
  row.push_back(Value::text(attempt.ticket));
  row.push_back(Value::text(attempt.processor_token));
  row.push_back(Value::integer(attempt.tries));
  row.push_back(Value::integer(attempt.next_at_us));
  row.push_back(Value::integer(attempt.created_at_us));
  row.push_back(Value::integer(attempt.updated_at_us));
  row.push_back(Value::text(name(attempt.after.stage)));
  row.push_back(Value::integer(attempt.after.captured));
  row.push_back(Value::integer(attempt.after.refunded));
  add_decline(row, attempt.decline);
  row.push_back(Value::text(attempt.processor_reference));
  return row;
}

Result<PaymentRow> read_payment(const Row& row) {
  RowReader reader(row);
  std::string id = reader.text();
  std::string merchant = reader.text();
  const auto currency = reader.named(parse_currency);
  payments::Payment payment{.amount = reader.integer()};
  payment.captured = reader.integer();
  payment.refunded = reader.integer();
  const auto stage = reader.named(payments::parse_stage);
  std::string open_attempt = reader.text();
  const std::string open_operation = reader.text();
  payments::OpenOperation open{.amount = reader.integer()};
  open.lost = reader.integer() != 0;
  if (!open_attempt.empty()) {
    const auto operation = payments::parse_operation(open_operation);
    if (!operation) return fail({ErrorCode::corrupt, "unknown operation of a payment"});
    open.operation = *operation;
    payment.open = open;
  }
  std::string token = reader.text();
  const auto initiator = reader.named(parse_initiator);
  if (!currency || !stage || !initiator) {
    return fail({ErrorCode::corrupt, "unknown name in a payment"});
  }
  payment.stage = *stage;
  PaymentRow read{.id = std::move(id),
                  .merchant = std::move(merchant),
                  .currency = *currency,
                  .payment = payment,
                  .token = std::move(token),
                  .initiator = *initiator,
                  .connector = reader.text(),
                  .account_id = reader.text(),
                  .reference = reader.text(),
                  .metadata = reader.text(),
                  .first_attempt = reader.text(),
                  .processor_reference = reader.text(),
                  .decline = reader.decline(),
                  .open_attempt = std::move(open_attempt),
                  .version = reader.integer(),
                  .created_at_us = reader.integer(),
                  .updated_at_us = reader.integer()};
  if (!reader.sound() || !is_sound(read.payment)) {
    return fail({ErrorCode::corrupt, "a payment is not sound"});
  }
  return read;
}

Result<AttemptRow> read_attempt(const Row& row) {
  RowReader reader(row);
  AttemptRow attempt;
  attempt.id = reader.text();
  attempt.merchant = reader.text();
  attempt.idempotency_key = reader.text();
  attempt.fingerprint = reader.digest();
  attempt.payment = reader.text();
  const auto operation = reader.named(payments::parse_operation);
  attempt.amount = reader.integer();
  const auto state = reader.named(parse_state);
  attempt.owner = reader.text();
  attempt.ticket = reader.text();
  attempt.processor_token = reader.text();
  attempt.tries = reader.integer();
  attempt.next_at_us = reader.integer();
  attempt.created_at_us = reader.integer();
  attempt.updated_at_us = reader.integer();
  const auto stage = reader.named(payments::parse_stage);
  attempt.after.captured = reader.integer();
  attempt.after.refunded = reader.integer();
  attempt.decline = reader.decline();
  attempt.processor_reference = reader.text();
  if (!reader.sound()) return fail({ErrorCode::corrupt, "an attempt is not sound"});
  attempt.operation = *operation;
  attempt.state = *state;
  attempt.after.stage = *stage;
  return attempt;
}

}  // namespace strongroom::connected::gateway

// Writing payments: each change is a row for two guarded statements, and a batch of changes one
// transaction.
#include "connected/gateway/payment_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "connected/gateway/payment_sql.h"
#include "connected/gateway/rows.h"

namespace strongroom::connected::gateway {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

// A commit and its statements cost nearly the same for one row as for many.
constexpr async::BatcherLimits kLimits{.batch_max = 64,
                                       .queue_max = 4096,
                                       .in_flight_max = 1,
                                       .pace = std::chrono::microseconds(2000)};

std::string_view class_of(const std::optional<payments::Decline>& decline) {
  return decline ? name(decline->decline_class) : std::string_view{};
}
std::string_view code_of(const std::optional<payments::Decline>& decline) {
  return decline ? std::string_view(decline->code) : std::string_view{};
}

template <class Record>
Result<std::optional<Record>> read_one(const Result<Rows>& rows,
                                       Result<Record> (*read)(const Row&)) {
  if (!rows) return fail(rows.error());
  if (rows->empty()) return std::optional<Record>{};
  SR_TRY(Record record, read(rows->front()));
  return std::optional<Record>(std::move(record));
}

// A batch fails as a whole when one of its rows is refused.
bool one_spoils_all(const Error& error) {
  return error.code() == ErrorCode::conflict || error.code() == ErrorCode::invalid_argument;
}

}  // namespace

enum class PaymentStore::Kind : std::uint8_t {
  begin_payment,
  begin_operation,
  conclude,
  lose,
  abandon_payment,
  abandon_operation,
};

namespace {

// By PaymentStore::Kind.
constexpr std::array kKinds{kBeginPayment, kBeginOperation, kConclude,
                            kLose,         kAbandonPayment, kAbandonOperation};

}  // namespace

PaymentStore::PaymentStore(async::Loop& loop, storage::Database& database)
    : database_(database),
      changes_(loop, kLimits,
               [this](std::vector<Change> changes) { return write(std::move(changes)); }),
      lookups_(loop, kLimits, [this](std::vector<Key> keys) { return look_up(std::move(keys)); }) {}

// Each kind is two statements, whatever the number of its changes. True: the change took effect.
async::Task<std::vector<Result<bool>>> PaymentStore::write(std::vector<Change> changes) {
  // What a statement does to one attempt twice in one batch is not defined.
  std::set<std::string_view> attempts;
  for (const Change& change : changes) attempts.insert(change.attempt);
  if (attempts.size() < changes.size()) co_return co_await write_apart(std::move(changes));
  // In the order of payments, so that two batches never wait for each other's rows crosswise.
  std::vector<Change*> order;
  order.reserve(changes.size());
  for (Change& change : changes) order.push_back(&change);
  std::ranges::sort(order, {}, [](const Change* change) {
    return std::pair(std::string_view(change->payment), std::string_view(change->attempt));
  });
  std::vector<storage::ManyStatement> statements{};
  statements.reserve(2 * kKinds.size());
  for (const ChangeSql& sql : kKinds) {
    statements.push_back({sql.first, {}});
    statements.push_back({sql.second, {}});
  }
  for (const Change* change : order) {
    const auto at = 2 * static_cast<std::size_t>(change->kind);
    statements[at].rows.push_back(change->first);
    statements[at + 1].rows.push_back(change->second);
  }
  const auto written = co_await database_.write_many(std::move(statements));
  if (!written) {
    if (changes.size() > 1 && one_spoils_all(written.error())) {
      co_return co_await write_apart(std::move(changes));
    }
    co_return std::vector<Result<bool>>(changes.size(), fail(written.error()));
  }
  std::set<std::string_view> took_effect;
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    for (const Row& row : (*written)[2 * kind]) {
      if (const auto attempt = row[0].text()) took_effect.insert(*attempt);
    }
  }
  std::vector<Result<bool>> fates;
  fates.reserve(changes.size());
  for (const Change& change : changes) fates.emplace_back(took_effect.contains(change.attempt));
  co_return fates;
}

// One by one, so that each has its own fate.
async::Task<std::vector<Result<bool>>> PaymentStore::write_apart(std::vector<Change> changes) {
  std::vector<Result<bool>> fates;
  fates.reserve(changes.size());
  for (Change& change : changes) {
    std::vector<Change> alone{};
    alone.push_back(std::move(change));
    std::vector<Result<bool>> fate = co_await write(std::move(alone));
    fates.push_back(std::move(fate.front()));
  }
  co_return fates;
}

async::Task<Result<Begun>> PaymentStore::begin_payment(PaymentRow payment, AttemptRow attempt) {
  Change change{.kind = Kind::begin_payment,
                .payment = payment.id,
                .attempt = attempt.id,
                .first = to_row(attempt),
                .second = to_row(payment)};
  const Result<bool> begun = co_await changes_.submit(std::move(change));
  if (!begun) co_return fail(begun.error());
  co_return *begun ? Begun::begun : Begun::key_known;
}

async::Task<Result<Begun>> PaymentStore::begin_operation(PaymentRow payment, AttemptRow attempt) {
  Change change{.kind = Kind::begin_operation,
                .payment = payment.id,
                .attempt = attempt.id,
                .first = {Value::text(payment.id), Value::integer(payment.version),
                          Value::text(attempt.id), Value::text(name(attempt.operation)),
                          Value::integer(attempt.amount), Value::integer(attempt.created_at_us)},
                .second = to_row(attempt)};
  const Result<bool> begun = co_await changes_.submit(std::move(change));
  // The key is in use: its unique index has refused the attempt, and with it the opening.
  if (!begun && begun.error().code() == ErrorCode::conflict) co_return Begun::key_known;
  if (!begun) co_return fail(begun.error());
  co_return *begun ? Begun::begun : Begun::moved;
}

async::Task<Result<bool>> PaymentStore::conclude(PaymentRow payment, AttemptRow attempt) {
  const payments::Payment& after = payment.payment;
  Change change{
      .kind = Kind::conclude,
      .payment = payment.id,
      .attempt = attempt.id,
      .first = {Value::text(attempt.id), Value::text(name(attempt.state)),
                Value::text(name(after.stage)), Value::integer(after.captured),
                Value::integer(after.refunded), Value::text(class_of(attempt.decline)),
                Value::text(code_of(attempt.decline)), Value::text(attempt.processor_reference),
                Value::integer(attempt.updated_at_us)},
      .second = {Value::text(payment.id), Value::text(attempt.id), Value::integer(after.captured),
                 Value::integer(after.refunded), Value::text(name(after.stage)),
                 Value::text(payment.processor_reference), Value::text(class_of(payment.decline)),
                 Value::text(code_of(payment.decline)), Value::integer(payment.updated_at_us)}};
  co_return co_await changes_.submit(std::move(change));
}

async::Task<Result<bool>> PaymentStore::lose(PaymentRow payment, AttemptRow attempt) {
  Change change{
      .kind = Kind::lose,
      .payment = payment.id,
      .attempt = attempt.id,
      .first = {Value::text(attempt.id), Value::integer(attempt.tries),
                Value::integer(attempt.next_at_us), Value::integer(attempt.updated_at_us)},
      .second = {Value::text(payment.id), Value::text(attempt.id),
                 Value::text(payment.processor_reference), Value::integer(payment.updated_at_us)}};
  co_return co_await changes_.submit(std::move(change));
}

async::Task<Result<bool>> PaymentStore::abandon(AttemptRow attempt) {
  const bool first = attempt.operation == payments::Operation::authorize ||
                     attempt.operation == payments::Operation::sale;
  const Row row{Value::text(attempt.payment), Value::text(attempt.id)};
  Change change{.kind = first ? Kind::abandon_payment : Kind::abandon_operation,
                .payment = attempt.payment,
                .attempt = attempt.id,
                .first = row,
                .second = row};
  co_return co_await changes_.submit(std::move(change));
}

async::Task<Result<std::optional<PaymentRow>>> PaymentStore::payment(std::string merchant,
                                                                     std::string id) {
  Statement statement{.sql = kSelectPayment,
                      .parameters = {Value::text(merchant), Value::text(id)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_payment);
}

async::Task<Result<PaymentPage>> PaymentStore::page(std::string merchant, std::string after,
                                                    std::size_t limit) {
  Statement statement{.sql = kSelectNewest, .parameters = {Value::text(merchant)}};
  if (!after.empty()) {
    statement.sql = kSelectOlder;
    statement.parameters.push_back(Value::text(after));
  }
  statement.parameters.push_back(Value::integer(static_cast<std::int64_t>(limit) + 1));
  const auto rows = co_await database_.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  PaymentPage page;
  page.more = rows->size() > limit;
  for (std::size_t i = 0; i < std::min(rows->size(), limit); ++i) {
    SR_CO_TRY(PaymentRow row, read_payment((*rows)[i]));
    page.items.push_back(std::move(row));
  }
  co_return page;
}

async::Task<Result<std::optional<AttemptRow>>> PaymentStore::attempt(std::string merchant,
                                                                     std::string id) {
  Statement statement{.sql = kSelectAttempt,
                      .parameters = {Value::text(merchant), Value::text(id)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_attempt);
}

async::Task<Result<std::optional<AttemptRow>>> PaymentStore::attempt_by_key(std::string merchant,
                                                                            std::string key) {
  Key wanted{std::move(merchant), std::move(key)};
  co_return co_await lookups_.submit(std::move(wanted));
}

async::Task<std::vector<Result<PaymentStore::Known>>> PaymentStore::look_up(std::vector<Key> keys) {
  storage::ManyStatement statement{kSelectAttemptsByKey, {}};
  for (const Key& key : keys) {
    statement.rows.push_back({Value::text(key.merchant), Value::text(key.key)});
  }
  const auto rows = co_await database_.read_many(std::move(statement));
  if (!rows) co_return std::vector<Result<Known>>(keys.size(), fail(rows.error()));
  std::vector<Result<Known>> known(keys.size(), Known{});
  for (const Row& row : *rows) {
    const Result<AttemptRow> attempt = read_attempt(row);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (row[1].text() != keys[i].merchant || row[2].text() != keys[i].key) continue;
      known[i] = attempt ? Result<Known>(*attempt) : Result<Known>(fail(attempt.error()));
    }
  }
  co_return known;
}

async::Task<Result<std::vector<AttemptRow>>> PaymentStore::due(std::int64_t now_us) {
  Statement statement{
      .sql = kSelectDue,
      .parameters = {Value::integer(now_us), Value::integer(static_cast<std::int64_t>(kDueMax))}};
  const auto rows = co_await database_.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  std::vector<AttemptRow> attempts;
  for (const Row& row : *rows) {
    SR_CO_TRY(AttemptRow attempt, read_attempt(row));
    attempts.push_back(std::move(attempt));
  }
  co_return attempts;
}

async::Task<Result<bool>> PaymentStore::claim(const AttemptRow& attempt, std::string owner,
                                              std::int64_t until_us) {
  std::vector<Statement> statements;
  statements.push_back({.sql = kClaim,
                        .parameters = {Value::text(attempt.id), Value::integer(attempt.next_at_us),
                                       Value::integer(until_us), Value::text(owner)}});
  const auto written = co_await database_.write(std::move(statements));
  if (!written) co_return fail(written.error());
  co_return !written->front().empty();
}

async::Task<Result<Unsettled>> PaymentStore::unsettled() {
  Statement statement{.sql = kSelectUnsettled};
  const auto rows = co_await database_.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  Unsettled unsettled;
  SR_CO_TRY(unsettled.count, rows->front()[0].integer());
  SR_CO_TRY(unsettled.oldest_us, rows->front()[1].integer());
  co_return unsettled;
}

async::Task<Result<std::size_t>> PaymentStore::lose_open(std::string owner, std::int64_t now_us) {
  std::vector<Statement> statements;
  statements.push_back({.sql = kLosePendingPayments, .parameters = {Value::text(owner)}});
  statements.push_back(
      {.sql = kLoseOpenAttempts, .parameters = {Value::text(owner), Value::integer(now_us)}});
  const auto written = co_await database_.write(std::move(statements));
  if (!written) co_return fail(written.error());
  co_return written->back().size();
}

}  // namespace strongroom::connected::gateway

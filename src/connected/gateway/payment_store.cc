// Writing payments: each change is two guarded statements, and a batch of changes one transaction.
#include "connected/gateway/payment_store.h"

#include <algorithm>
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

// Natural batching: two batches under way keep both writer connections busy.
constexpr async::BatcherLimits kLimits{.batch_max = 64, .queue_max = 4096, .in_flight_max = 2};

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

// A batch fails as a whole when one of its statements is refused.
bool one_spoils_all(const Error& error) {
  return error.code() == ErrorCode::conflict || error.code() == ErrorCode::invalid_argument;
}

}  // namespace

PaymentStore::PaymentStore(async::Loop& loop, storage::Database& database)
    : database_(database), changes_(loop, kLimits, [this](std::vector<Change> changes) {
        return write(std::move(changes));
      }) {}

async::Task<std::vector<Result<PaymentStore::Changed>>> PaymentStore::write(
    std::vector<Change> changes) {
  // In the order of payments, so that two batches never wait for each other's rows crosswise.
  std::vector<std::size_t> order(changes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(
      order, {}, [&](std::size_t i) { return std::pair(std::string_view(changes[i].payment), i); });
  std::vector<Statement> statements;
  statements.reserve(2 * changes.size());
  for (const std::size_t i : order) {
    statements.push_back(changes[i].first);
    statements.push_back(changes[i].second);
  }
  std::vector<Result<Changed>> fates(changes.size(), Result<Changed>(Changed{}));
  const auto written = co_await database_.write(std::move(statements));
  if (written) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      fates[order[i]] = Changed{!(*written)[2 * i].empty(), !(*written)[2 * i + 1].empty()};
    }
    co_return fates;
  }
  if (changes.size() == 1 || !one_spoils_all(written.error())) {
    std::ranges::fill(fates, Result<Changed>(fail(written.error())));
    co_return fates;
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {  // so that each has its own fate
    std::vector<Change> alone;
    alone.push_back(std::move(changes[i]));
    std::vector<Result<Changed>> fate = co_await write(std::move(alone));
    fates[i] = fate.front();
  }
  co_return fates;
}

async::Task<Result<Begun>> PaymentStore::begin_payment(PaymentRow payment, AttemptRow attempt) {
  Change change{.payment = payment.id,
                .first = {.sql = kInsertAttempt, .parameters = to_row(attempt)},
                .second = {.sql = kInsertPayment, .parameters = to_row(payment)}};
  const Result<Changed> changed = co_await changes_.submit(std::move(change));
  if (!changed) co_return fail(changed.error());
  if (!changed->first) co_return Begun::key_known;
  // The payment's id comes from the key, which was free.
  if (!changed->second) co_return fail({ErrorCode::corrupt, "a payment without its attempt"});
  co_return Begun::begun;
}

async::Task<Result<Begun>> PaymentStore::begin_operation(PaymentRow payment, AttemptRow attempt) {
  Change change{
      .payment = payment.id,
      .first = {.sql = kOpenPayment,
                .parameters = {Value::text(payment.id), Value::integer(payment.version),
                               Value::text(attempt.id), Value::text(name(attempt.operation)),
                               Value::integer(attempt.amount),
                               Value::integer(attempt.created_at_us)}},
      .second = {.sql = kInsertAttemptOfOpen, .parameters = to_row(attempt)}};
  const Result<Changed> changed = co_await changes_.submit(std::move(change));
  // The key is in use: its unique index has refused the attempt, and with it the opening.
  if (!changed && changed.error().code() == ErrorCode::conflict) co_return Begun::key_known;
  if (!changed) co_return fail(changed.error());
  co_return changed->first && changed->second ? Begun::begun : Begun::moved;
}

async::Task<Result<bool>> PaymentStore::close(Change change) {
  const Result<Changed> changed = co_await changes_.submit(std::move(change));
  if (!changed) co_return fail(changed.error());
  co_return changed->first;
}

async::Task<Result<bool>> PaymentStore::conclude(PaymentRow payment, AttemptRow attempt) {
  const payments::Payment& after = payment.payment;
  Change change{
      .payment = payment.id,
      .first = {.sql = kConcludeAttempt,
                .parameters = {Value::text(attempt.id), Value::text(name(attempt.state)),
                               Value::text(name(after.stage)), Value::integer(after.captured),
                               Value::integer(after.refunded),
                               Value::text(class_of(attempt.decline)),
                               Value::text(code_of(attempt.decline)),
                               Value::text(attempt.processor_reference),
                               Value::integer(attempt.updated_at_us)}},
      .second = {
          .sql = kConcludePayment,
          .parameters = {
              Value::text(payment.id), Value::text(attempt.id), Value::integer(after.captured),
              Value::integer(after.refunded), Value::text(name(after.stage)),
              Value::text(payment.processor_reference), Value::text(class_of(payment.decline)),
              Value::text(code_of(payment.decline)), Value::integer(payment.updated_at_us)}}};
  co_return co_await close(std::move(change));
}

async::Task<Result<bool>> PaymentStore::lose(PaymentRow payment, AttemptRow attempt) {
  Change change{.payment = payment.id,
                .first = {.sql = kLoseAttempt,
                          .parameters = {Value::text(attempt.id), Value::integer(attempt.tries),
                                         Value::integer(attempt.next_at_us),
                                         Value::integer(attempt.updated_at_us)}},
                .second = {.sql = kLosePayment,
                           .parameters = {Value::text(payment.id), Value::text(attempt.id),
                                          Value::text(payment.processor_reference),
                                          Value::integer(payment.updated_at_us)}}};
  co_return co_await close(std::move(change));
}

async::Task<Result<bool>> PaymentStore::abandon(AttemptRow attempt) {
  const bool first = attempt.operation == payments::Operation::authorize ||
                     attempt.operation == payments::Operation::sale;
  Change change{.payment = attempt.payment,
                .first = {.sql = kDropAttempt, .parameters = {Value::text(attempt.id)}},
                .second = {.sql = first ? kDropPayment : kClosePayment,
                           .parameters = {Value::text(attempt.payment), Value::text(attempt.id)}}};
  co_return co_await close(std::move(change));
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
  Statement statement{.sql = kSelectAttemptByKey,
                      .parameters = {Value::text(merchant), Value::text(key)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_one(rows, read_attempt);
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

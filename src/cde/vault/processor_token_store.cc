// The tables processor_tokens, token_uses and removals. A statement that only locks the card's row
// comes first where a card must not be deleted meanwhile.
#include "cde/vault/processor_token_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"
#include "storage/sql_literal.h"
#include "storage/write_batch.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr std::string_view kFind =
    "SELECT account_key, sealed, operation_id FROM processor_tokens"
    " WHERE token_id = $1 AND account_key = $2";
constexpr std::string_view kAllOf =
    "SELECT account_key, sealed, operation_id FROM processor_tokens WHERE token_id = $1";
constexpr std::array kTokenColumns{Column{"id", ColumnType::bytes}};
constexpr storage::ManySql kAllOfMany{
    "SELECT account_key, sealed, operation_id, token_id FROM {given}"
    " JOIN processor_tokens ON token_id = given.id",
    kTokenColumns};
constexpr std::array kLockColumns{Column{"id", ColumnType::bytes},
                                  Column{"left_by", ColumnType::bytes}};
constexpr storage::ManySql kLockUnchanged{
    .sql =
        "SELECT token_id, operation_id FROM {given}"
        " JOIN cards ON token_id = given.id AND operation_id = given.left_by"
        " WHERE deleted_at IS NULL",
    .given = kLockColumns,
    .locks = true};
// Of both that follow: of cards that are locked.
constexpr std::array kKeepColumns{
    Column{"id", ColumnType::bytes},        Column{"left_by", ColumnType::bytes},
    Column{"account", ColumnType::bytes},   Column{"blob", ColumnType::bytes},
    Column{"operation", ColumnType::bytes}, Column{"at", ColumnType::integer},
    Column{"replaced", ColumnType::bytes}};
constexpr storage::ManySql kKeepFirst{
    "INSERT INTO processor_tokens (token_id, account_key, sealed, operation_id, created_at)"
    " SELECT given.id, given.account, given.blob, given.operation, given.at FROM {given}"
    " JOIN cards ON cards.token_id = given.id AND cards.operation_id = given.left_by WHERE true"
    " ON CONFLICT (token_id, account_key) DO NOTHING RETURNING operation_id",
    std::span(kKeepColumns).first<6>()};
constexpr storage::ManySql kKeepInstead{
    "UPDATE processor_tokens SET sealed = given.blob, operation_id = given.operation,"
    " created_at = given.at FROM {given}"
    " JOIN cards ON cards.token_id = given.id AND cards.operation_id = given.left_by"
    " WHERE processor_tokens.token_id = given.id AND account_key = given.account"
    " AND processor_tokens.operation_id = given.replaced RETURNING processor_tokens.operation_id",
    kKeepColumns};
constexpr auto kQueueReplacedText = storage::join(
    kQueueOfGiven,
    " JOIN processor_tokens ON token_id = given.id AND operation_id = given.operation");
constexpr storage::ManySql kQueueReplaced{storage::view(kQueueReplacedText), kQueueColumns};
constexpr std::string_view kTakeAll = "DELETE FROM processor_tokens WHERE token_id = $1";
constexpr std::string_view kNameOperation =
    "UPDATE cards SET operation_id = $2 WHERE token_id = $1 AND deleted_at IS NULL";
constexpr std::string_view kTakeOne =
    "DELETE FROM processor_tokens"
    " WHERE token_id = $1 AND account_key = $2 AND operation_id = $3";
constexpr std::string_view kHasUsed =
    "SELECT used_at FROM token_uses WHERE token_id = $1 AND payment_key = $2";
constexpr std::string_view kUse =
    "INSERT INTO token_uses (token_id, payment_key, used_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (token_id, payment_key) DO NOTHING";
constexpr std::string_view kCount =
    "UPDATE cards SET usage_count = usage_count + 1, last_use = $2"
    " WHERE token_id = $1 AND deleted_at IS NULL"
    " AND (usage_limit IS NULL OR usage_count < usage_limit)";
constexpr std::array kCountColumns{Column{"token", ColumnType::bytes},
                                   Column{"payment", ColumnType::bytes}};
constexpr storage::ManySql kCountMany{
    "UPDATE cards SET usage_count = usage_count + 1, last_use = given.payment FROM {given}"
    " WHERE token_id = given.token AND deleted_at IS NULL"
    " AND (usage_limit IS NULL OR usage_count < usage_limit)"
    " AND NOT EXISTS (SELECT 1 FROM token_uses WHERE token_uses.token_id = given.token"
    " AND token_uses.payment_key = given.payment) RETURNING token_id",
    kCountColumns};
constexpr std::array kUseColumns{Column{"token", ColumnType::bytes},
                                 Column{"payment", ColumnType::bytes},
                                 Column{"at", ColumnType::integer}};
// Of those that were counted. A row that is there already is a conflict, which undoes the count.
constexpr storage::ManySql kUseMany{
    "INSERT INTO token_uses (token_id, payment_key, used_at)"
    " SELECT given.token, given.payment, given.at FROM {given}"
    " JOIN cards ON cards.token_id = given.token AND cards.last_use = given.payment",
    kUseColumns};
// Two batches under way keep both writer connections busy.
constexpr async::BatcherLimits kKeepLimits{
    .batch_max = 64, .queue_max = 4096, .in_flight_max = 2, .pace = kPaymentPace};
constexpr async::BatcherLimits kUseLimits{.batch_max = 64, .queue_max = 4096, .in_flight_max = 2};
constexpr std::string_view kQueue =
    "INSERT INTO removals"
    " (removal_id, connector, account, processor_token, queued_at, tries, try_at)"
    " VALUES ($1, $2, $3, $4, $5, 0, $5)";
constexpr std::string_view kDue =
    "SELECT removal_id, connector, account, processor_token, queued_at, tries FROM removals"
    " WHERE try_at <= $1 ORDER BY try_at LIMIT $2";
constexpr std::string_view kQueued = "SELECT CAST(count(*) AS bigint) FROM removals";
constexpr std::string_view kDrop = "DELETE FROM removals WHERE removal_id = $1";
constexpr std::string_view kPostpone =
    "UPDATE removals SET tries = tries + 1, try_at = $2 WHERE removal_id = $1";

Result<ProcessorTokenRow> read_row(const Row& row) {
  SR_TRY(const auto account, row[0].digest<32>());
  SR_TRY(crypto::Sealed sealed, row[1].sealed());
  SR_TRY(const OperationId operation, row[2].id<OperationIdTag>());
  return ProcessorTokenRow{account, std::move(sealed), operation};
}

Result<Removal> read_removal(const Row& row) {
  Removal removal;
  SR_TRY(removal.id, row[0].id<RemovalIdTag>());
  SR_TRY(removal.connector, row[1].text());
  SR_TRY(removal.what.account, row[2].text());
  SR_TRY(removal.what.processor_token, row[3].text());
  SR_TRY(removal.queued_at_us, row[4].integer());
  SR_TRY(removal.tries, row[5].integer());
  return removal;
}

Statement queue_statement(const Removal& removal) {
  return {kQueue,
          {Value::id(removal.id), Value::text(removal.connector), Value::text(removal.what.account),
           Value::text(removal.what.processor_token), Value::integer(removal.queued_at_us)}};
}

// Locks the cards before anything is read of them, and in the order of tokens, so that two batches
// never wait for each other's rows crosswise.
std::vector<storage::ManyStatement> statements_to_keep(
    std::span<const ProcessorTokenStore::Keeping> all) {
  using Keeping = ProcessorTokenStore::Keeping;
  std::vector<const Keeping*> order;
  order.reserve(all.size());
  for (const Keeping& one : all) order.push_back(&one);
  std::ranges::sort(order, {}, [](const Keeping* one) { return std::pair(one->token, one); });
  std::vector<Row> locked, first, instead, queued;
  for (const Keeping* one : order) {
    const Value token = Value::id(one->token), left_by = Value::id(one->card_operation);
    locked.push_back({token, left_by});
    Row row{token,
            left_by,
            Value::digest(one->row.account),
            Value::sealed(one->row.sealed),
            Value::id(one->row.operation),
            Value::integer(one->at_us)};
    if (one->replaced) {
      row.push_back(Value::id(one->replaced->operation));
      queued.push_back(queue_row(one->token, one->row.operation, one->replaced->removal));
    }
    (one->replaced ? instead : first).push_back(std::move(row));
  }
  std::vector<storage::ManyStatement> statements;
  statements.push_back({kLockUnchanged, std::move(locked)});
  statements.push_back({kKeepFirst, std::move(first)});
  statements.push_back({kKeepInstead, std::move(instead)});
  statements.push_back({kQueueReplaced, std::move(queued)});
  return statements;
}

crypto::Sha256Digest key_of(std::string_view label, TokenId token, std::string_view id) {
  crypto::Context context(label);
  context.add(token.bytes).add(id);
  return crypto::sha256(context.bytes());
}

async::Task<Result<void>> write_one(storage::Database& database, Statement statement) {
  std::vector<Statement> statements;
  statements.push_back(std::move(statement));
  SR_CO_CHECK_OK(co_await database.write(std::move(statements)));
  co_return Result<void>{};
}

}  // namespace

AccountKey account_key(TokenId token, std::string_view account_id) {
  return key_of("strongroom/account-key/1", token, account_id);
}

PaymentKey payment_key(TokenId token, std::string_view payment) {
  return key_of("strongroom/payment-key/1", token, payment);
}

ProcessorTokenStore::ProcessorTokenStore(async::Loop& loop, storage::Database& database)
    : database_(database),
      keeps_(loop, kKeepLimits,
             [this](std::vector<Keeping> all) { return keep_batch(std::move(all)); }),
      uses_(loop, kUseLimits,
            [this](std::vector<Use> uses) { return count_batch(std::move(uses)); }) {}

Row queue_row(TokenId token, OperationId operation, const Removal& removal) {
  return {Value::id(token),
          Value::id(operation),
          Value::id(removal.id),
          Value::text(removal.connector),
          Value::text(removal.what.account),
          Value::text(removal.what.processor_token),
          Value::integer(removal.queued_at_us)};
}

std::vector<Statement> statements_to_remove(TokenId token, std::span<const Removal> removals) {
  std::vector<Statement> statements;
  statements.push_back({kTakeAll, {Value::id(token)}, removals.size()});
  for (const Removal& removal : removals) statements.push_back(queue_statement(removal));
  return statements;
}

async::Task<Result<std::optional<ProcessorTokenRow>>> ProcessorTokenStore::find(
    TokenId token, AccountKey account) {
  Statement statement{kFind, {Value::id(token), Value::digest(account)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  if (rows.empty()) co_return std::nullopt;
  SR_CO_TRY(ProcessorTokenRow row, read_row(rows.front()));
  co_return row;
}

async::Task<Result<std::vector<ProcessorTokenRow>>> ProcessorTokenStore::all_of(TokenId token) {
  Statement statement{kAllOf, {Value::id(token)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<ProcessorTokenRow> all;
  for (const Row& row : rows) {
    SR_CO_TRY(ProcessorTokenRow one, read_row(row));
    all.push_back(std::move(one));
  }
  co_return all;
}

async::Task<Result<ProcessorTokenStore::OfTokens>> ProcessorTokenStore::all_of(
    std::vector<TokenId> tokens) {
  std::vector<Row> given;
  given.reserve(tokens.size());
  for (const TokenId& token : tokens) given.push_back({Value::id(token)});
  storage::ManyStatement statement{kAllOfMany, std::move(given)};
  SR_CO_TRY(const Rows rows, co_await database_.read_many(std::move(statement)));
  OfTokens all;
  for (const Row& row : rows) {
    SR_CO_TRY(ProcessorTokenRow one, read_row(row));
    SR_CO_TRY(const TokenId token, row[3].id<TokenIdTag>());
    all[token].push_back(std::move(one));
  }
  co_return all;
}

async::Task<Result<ProcessorTokenStore::Kept>> ProcessorTokenStore::keep(Keeping what) {
  return keeps_.submit(std::move(what));
}

async::Task<std::vector<Result<ProcessorTokenStore::Kept>>> ProcessorTokenStore::keep_batch(
    std::vector<Keeping> all) {
  co_return co_await storage::write_batch<Kept>(
      std::span<const Keeping>(all),
      [this](std::span<const Keeping> some) { return keep_together(some); });
}

async::Task<Result<std::vector<ProcessorTokenStore::Kept>>> ProcessorTokenStore::keep_together(
    std::span<const Keeping> all) {
  SR_CO_TRY(const std::vector<Rows> written,
            co_await database_.write_many(statements_to_keep(all)));
  std::set<std::pair<TokenId, OperationId>> unchanged;
  for (const Row& row : written[0]) {
    SR_CO_TRY(const TokenId token, row[0].id<TokenIdTag>());
    SR_CO_TRY(const OperationId left_by, row[1].id<OperationIdTag>());
    unchanged.emplace(token, left_by);
  }
  std::set<OperationId> kept;
  for (const Rows* rows : {&written[1], &written[2]}) {
    for (const Row& row : *rows) {
      SR_CO_TRY(const OperationId operation, row[0].id<OperationIdTag>());
      kept.insert(operation);
    }
  }
  std::vector<Kept> fates;
  fates.reserve(all.size());
  for (const Keeping& one : all) {
    const bool is_unchanged = unchanged.contains({one.token, one.card_operation});
    const Kept there = kept.contains(one.row.operation) ? Kept::kept : Kept::elsewhere;
    fates.push_back(is_unchanged ? there : Kept::changed);
  }
  co_return fates;
}

async::Task<Result<bool>> ProcessorTokenStore::take(TokenId token, const ProcessorTokenRow& row,
                                                    OperationId operation, const Removal& removal) {
  std::vector<Statement> statements;
  statements.push_back({kNameOperation, {Value::id(token), Value::id(operation)}, 1});
  statements.push_back(
      {kTakeOne, {Value::id(token), Value::digest(row.account), Value::id(row.operation)}, 1});
  statements.push_back(queue_statement(removal));
  const Result<std::vector<Rows>> taken = co_await database_.write(std::move(statements));
  if (taken) co_return true;
  if (taken.error().code() != ErrorCode::conflict) co_return fail(taken.error());
  co_return false;
}

async::Task<Result<bool>> ProcessorTokenStore::has_used(TokenId token, PaymentKey payment) {
  Statement statement{kHasUsed, {Value::id(token), Value::digest(payment)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  co_return !rows.empty();
}

async::Task<Result<bool>> ProcessorTokenStore::count_use(TokenId token, PaymentKey payment,
                                                         std::int64_t now_us) {
  return uses_.submit(Use{token, payment, now_us});
}

// Round by round, each with one use of a token at most: what one of them may do depends on the ones
// before.
async::Task<std::vector<Result<bool>>> ProcessorTokenStore::count_batch(std::vector<Use> uses) {
  std::vector<Result<bool>> fates(uses.size(), Result<bool>(false));
  // In the order of tokens, so that two batches never wait for each other's rows crosswise.
  std::vector<std::size_t> left(uses.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::ranges::sort(left, {}, [&](std::size_t i) { return std::pair(uses[i].token, i); });
  while (!left.empty()) {
    std::vector<std::size_t> later, now;
    std::vector<Use> round;
    for (const std::size_t i : left) {
      const bool there = !round.empty() && round.back().token == uses[i].token;
      if (!there) round.push_back(uses[i]);
      (there ? later : now).push_back(i);
    }
    const std::vector<Result<bool>> counted = co_await count_together(round);
    for (std::size_t i = 0; i < now.size(); ++i) fates[now[i]] = counted[i];
    left = std::move(later);
  }
  co_return fates;
}

// Of tokens that differ. Two payments of one name at once: the second finds no room for its row,
// and each is counted alone.
async::Task<std::vector<Result<bool>>> ProcessorTokenStore::count_together(
    std::span<const Use> uses) {
  std::vector<Row> counts, rows;
  for (const Use& use : uses) {
    counts.push_back({Value::id(use.token), Value::digest(use.payment)});
    rows.push_back({Value::id(use.token), Value::digest(use.payment), Value::integer(use.at_us)});
  }
  std::vector<storage::ManyStatement> statements;
  statements.push_back({kCountMany, std::move(counts)});
  statements.push_back({kUseMany, std::move(rows)});
  const auto written = co_await database_.write_many(std::move(statements));
  std::vector<Result<bool>> fates;
  if (!written && written.error().code() != ErrorCode::conflict) {
    fates.assign(uses.size(), Result<bool>(fail(written.error())));
    co_return fates;
  }
  std::set<TokenId> counted;
  for (const Row& row : written ? written->front() : Rows{}) {
    if (const auto id = row[0].id<TokenIdTag>()) counted.insert(*id);
  }
  for (const Use& use : uses) {
    if (!written) {
      fates.push_back(co_await count_alone(use));
    } else if (counted.contains(use.token)) {
      fates.emplace_back(true);
    } else {
      fates.push_back(co_await has_used(use.token, use.payment));
    }
  }
  co_return fates;
}

// The row of the use first: who comes second for the same payment waits for it, and finds it.
async::Task<Result<bool>> ProcessorTokenStore::count_alone(Use use) {
  std::vector<Value> row{Value::id(use.token), Value::digest(use.payment),
                         Value::integer(use.at_us)};
  std::vector<Statement> statements;
  statements.push_back({kUse, std::move(row), 1});
  statements.push_back({kCount, {Value::id(use.token), Value::digest(use.payment)}, 1});
  const Result<std::vector<Rows>> counted = co_await database_.write(std::move(statements));
  if (counted) co_return true;
  if (counted.error().code() != ErrorCode::conflict) co_return fail(counted.error());
  co_return counted.error().detail() == 0;  // the use stands there already
}

async::Task<Result<void>> ProcessorTokenStore::queue(const Removal& removal) {
  return write_one(database_, queue_statement(removal));
}

async::Task<Result<std::vector<Removal>>> ProcessorTokenStore::due(std::int64_t now_us,
                                                                   std::int64_t count_max) {
  Statement statement{kDue, {Value::integer(now_us), Value::integer(count_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<Removal> due;
  for (const Row& row : rows) {
    SR_CO_TRY(Removal removal, read_removal(row));
    due.push_back(std::move(removal));
  }
  co_return due;
}

async::Task<Result<std::int64_t>> ProcessorTokenStore::queued() {
  Statement statement{kQueued};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  co_return rows.front()[0].integer();
}

async::Task<Result<void>> ProcessorTokenStore::drop(RemovalId id) {
  return write_one(database_, {kDrop, {Value::id(id)}});
}

async::Task<Result<void>> ProcessorTokenStore::postpone(RemovalId id, std::int64_t until_us) {
  return write_one(database_, {kPostpone, {Value::id(id), Value::integer(until_us)}});
}

}  // namespace strongroom::cde

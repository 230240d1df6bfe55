// The tables delete_budgets and held_deletes. A budget is GCRA (ITU-T I.371), as in Budgets, in one
// guarded statement per holder.
#include "cde/vault/held_deletes.h"

#include <chrono>
#include <utility>

#include "base/try.h"
#include "cde/vault/card_rows.h"
#include "storage/sql_literal.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr std::int64_t kWindowUs =
    std::chrono::duration_cast<std::chrono::microseconds>(Budgets::kWindow).count();

// $2 now, $3 what one delete costs, $4 both together, $5 what may be spent until.
constexpr std::string_view kSpend =
    "INSERT INTO delete_budgets (holder, spent_until) VALUES ($1, $4)"
    " ON CONFLICT (holder) DO UPDATE SET spent_until ="
    " CASE WHEN delete_budgets.spent_until > $2 THEN delete_budgets.spent_until + $3 ELSE $4 END"
    " WHERE delete_budgets.spent_until <= $5";
constexpr std::string_view kForgetSpent = "DELETE FROM delete_budgets WHERE spent_until <= $1";
constexpr std::string_view kFind =
    "SELECT held_at, operation_id FROM held_deletes WHERE token_id = $1";
constexpr std::string_view kLockLive =
    "UPDATE cards SET usage_count = usage_count WHERE token_id = $1 AND deleted_at IS NULL";
constexpr std::string_view kHold =
    "INSERT INTO held_deletes"
    " (token_id, merchant_index, key_index, subject_sealed, held_at, operation_id)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (token_id) DO NOTHING";
constexpr std::string_view kCount =
    "SELECT CAST(count(*) - count(released_at) AS bigint) FROM held_deletes";
constexpr std::string_view kGroups =
    "SELECT grouped.merchant_index, grouped.key_index, held, released, first_at, last_at,"
    " cards.token_id, wrapped_dek, merchant_sealed, subject_sealed FROM"
    " (SELECT merchant_index, key_index, CAST(count(*) - count(released_at) AS bigint) AS held,"
    " CAST(count(released_at) AS bigint) AS released, min(held_at) AS first_at,"
    " max(held_at) AS last_at FROM held_deletes WHERE (merchant_index, key_index) > ($1, $2)"
    " GROUP BY merchant_index, key_index ORDER BY merchant_index, key_index LIMIT $3) AS grouped"
    " JOIN held_deletes ON held_deletes.token_id = (SELECT one.token_id FROM held_deletes AS one"
    " WHERE one.merchant_index = grouped.merchant_index AND one.key_index = grouped.key_index"
    " ORDER BY one.token_id LIMIT 1)"
    " JOIN cards ON cards.token_id = held_deletes.token_id AND deleted_at IS NULL"
    " ORDER BY grouped.merchant_index, grouped.key_index";

constexpr char kHas[] =
    "SELECT token_id FROM held_deletes"
    " WHERE released_at IS NULL AND merchant_index = $1 AND held_at <= $2";
constexpr auto kHasAny = storage::join(kHas, " LIMIT 1");
constexpr auto kHasKeys = storage::join(kHas, " AND key_index = $3 LIMIT 1");
constexpr char kUndecided[] =
    " WHERE released_at IS NULL AND token_id IN (SELECT token_id FROM held_deletes"
    " WHERE released_at IS NULL AND merchant_index = $1 AND held_at <= $2";
constexpr char kSome[] = " LIMIT 1000) RETURNING token_id";  // kDecidedAtOnce
constexpr auto kRefuseAll = storage::join("DELETE FROM held_deletes", kUndecided, kSome);
constexpr auto kRefuseKeys =
    storage::join("DELETE FROM held_deletes", kUndecided, " AND key_index = $3", kSome);
constexpr char kSetReleased[] = "UPDATE held_deletes SET released_by = $3, released_at = $4";
constexpr auto kReleaseAll = storage::join(kSetReleased, kUndecided, kSome);
constexpr auto kReleaseKeys = storage::join(kSetReleased, kUndecided, " AND key_index = $5", kSome);

constexpr auto kReleased =
    storage::join("SELECT ", kCardColumns,
                  ", released_by FROM cards JOIN (SELECT token_id AS id, released_by"
                  " FROM held_deletes WHERE released_at IS NOT NULL AND token_id > $1"
                  " ORDER BY token_id LIMIT $2) AS due ON token_id = due.id ORDER BY token_id");

}  // namespace

HeldDeletes::HeldDeletes(storage::Database& database, Budget limit)
    : database_(database), limit_(limit) {}

async::Task<Result<bool>> HeldDeletes::spend(BlindIndex merchant, std::optional<BlindIndex> key,
                                             std::int64_t now_us) {
  const auto of = [now_us](const BlindIndex& holder, std::int64_t per_minute) {
    const std::int64_t step_us = kWindowUs / per_minute;
    return Statement{
        kSpend,
        {Value::digest(holder), Value::integer(now_us), Value::integer(step_us),
         Value::integer(now_us + step_us), Value::integer(now_us + kWindowUs - step_us)},
        1};
  };
  std::vector<Statement> statements;
  statements.push_back(of(merchant, limit_.merchant));
  if (key) statements.push_back(of(*key, limit_.identity));
  const auto written = co_await database_.write(std::move(statements));
  if (written) co_return true;
  if (written.error().code() == ErrorCode::conflict) co_return false;
  co_return fail(written.error());
}

async::Task<Result<void>> HeldDeletes::forget_spent(std::int64_t now_us) {
  std::vector<Statement> statements;
  statements.push_back({kForgetSpent, {Value::integer(now_us)}});
  SR_CO_CHECK_OK(co_await database_.write(std::move(statements)));
  co_return Result<void>{};
}

async::Task<Result<std::optional<HeldDeletes::Standing>>> HeldDeletes::find(TokenId token) {
  Statement statement{kFind, {Value::id(token)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  if (rows.empty()) co_return std::nullopt;
  SR_CO_TRY(const std::int64_t held_at, rows.front()[0].integer());
  SR_CO_TRY(const OperationId operation, rows.front()[1].id<OperationIdTag>());
  co_return Standing{held_at, operation};
}

async::Task<Result<bool>> HeldDeletes::hold(HeldDelete held) {
  std::vector<Value> values{Value::id(held.token_id),        Value::digest(held.merchant),
                            Value::digest(held.key),         Value::sealed(held.subject),
                            Value::integer(held.held_at_us), Value::id(held.operation)};
  std::vector<Statement> statements;
  statements.push_back({kLockLive, {Value::id(held.token_id)}, 1});
  statements.push_back({kHold, std::move(values), 1});
  const auto written = co_await database_.write(std::move(statements));
  if (written) co_return true;
  if (written.error().code() == ErrorCode::conflict) co_return false;
  co_return fail(written.error());
}

async::Task<Result<std::int64_t>> HeldDeletes::count() {
  Statement statement{kCount};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  co_return rows.front()[0].integer();
}

async::Task<Result<std::vector<HeldDeletes::Group>>> HeldDeletes::groups(GroupMark mark,
                                                                         std::int64_t count_max) {
  Statement statement{
      kGroups, {Value::digest(mark.merchant), Value::digest(mark.key), Value::integer(count_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<Group> groups;
  for (const Row& row : rows) {
    SR_CO_TRY(const auto merchant, row[0].digest<32>());
    SR_CO_TRY(const auto key, row[1].digest<32>());
    SR_CO_TRY(const std::int64_t held, row[2].integer());
    SR_CO_TRY(const std::int64_t released, row[3].integer());
    SR_CO_TRY(const std::int64_t first, row[4].integer());
    SR_CO_TRY(const std::int64_t last, row[5].integer());
    SR_CO_TRY(const TokenId token, row[6].id<TokenIdTag>());
    SR_CO_TRY(crypto::Sealed wrapped_dek, row[7].sealed());
    SR_CO_TRY(crypto::Sealed merchant_sealed, row[8].sealed());
    SR_CO_TRY(crypto::Sealed subject, row[9].sealed());
    groups.push_back({merchant, key, held, released, first, last, token, std::move(wrapped_dek),
                      std::move(merchant_sealed), std::move(subject)});
  }
  co_return groups;
}

async::Task<Result<std::size_t>> HeldDeletes::decide(Statement statement) {
  std::vector<Statement> statements;
  statements.push_back(std::move(statement));
  SR_CO_TRY(const std::vector<Rows> decided, co_await database_.write(std::move(statements)));
  co_return decided.front().size();
}

async::Task<Result<bool>> HeldDeletes::has(Chosen chosen) {
  std::vector<Value> values{Value::digest(chosen.merchant), Value::integer(chosen.until_us)};
  if (chosen.key) values.push_back(Value::digest(*chosen.key));
  Statement statement{chosen.key ? storage::view(kHasKeys) : storage::view(kHasAny),
                      std::move(values)};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  co_return !rows.empty();
}

async::Task<Result<std::size_t>> HeldDeletes::release(Chosen chosen, const std::string& by,
                                                      std::int64_t now_us) {
  std::vector<Value> values{Value::digest(chosen.merchant), Value::integer(chosen.until_us),
                            Value::text(by), Value::integer(now_us)};
  if (chosen.key) values.push_back(Value::digest(*chosen.key));
  return decide(
      {chosen.key ? storage::view(kReleaseKeys) : storage::view(kReleaseAll), std::move(values)});
}

async::Task<Result<std::size_t>> HeldDeletes::refuse(Chosen chosen) {
  std::vector<Value> values{Value::digest(chosen.merchant), Value::integer(chosen.until_us)};
  if (chosen.key) values.push_back(Value::digest(*chosen.key));
  return decide(
      {chosen.key ? storage::view(kRefuseKeys) : storage::view(kRefuseAll), std::move(values)});
}

async::Task<Result<std::vector<HeldDeletes::Released>>> HeldDeletes::released(
    TokenId mark, std::int64_t count_max) {
  Statement statement{storage::view(kReleased), {Value::id(mark), Value::integer(count_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<Released> released;
  for (const Row& row : rows) {
    SR_CO_TRY(CardStore::Found found, read_found(row));
    SR_CO_TRY(const std::string_view by, row[kCardColumnCount].text());
    if (found.card) released.push_back({*std::move(found.card), std::string(by)});
  }
  co_return released;
}

}  // namespace strongroom::cde

// The statements that move cards' DEKs to another KEK version. What is sealed under a DEK stays as
// it is.
#include <array>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "cde/vault/card_store.h"
#include "storage/database.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

// Gives the last row of a full page too, whatever its DEK is under: where the next one begins. An
// erased card has no version.
constexpr std::string_view kSelectOldDeks =
    "SELECT token_id, place, kek_version, CASE WHEN kek_version <= $3 THEN wrapped_dek END FROM"
    " (SELECT token_id, kek_version, wrapped_dek, row_number() OVER (ORDER BY token_id) AS place"
    " FROM (SELECT token_id, kek_version, wrapped_dek FROM cards"
    " WHERE token_id > $1 AND token_id <= $2 ORDER BY token_id LIMIT $4) AS page) AS placed"
    " WHERE kek_version <= $3 OR place = $4 ORDER BY token_id LIMIT $5";
enum OldDekColumn : std::size_t { kId, kPlace, kVersion, kDek };
constexpr std::string_view kSelectLast =
    "SELECT token_id FROM cards ORDER BY token_id DESC LIMIT 1";
constexpr std::string_view kSelectPlace =
    "SELECT token_id FROM cards WHERE token_id > $1 ORDER BY token_id LIMIT 1 OFFSET $2";

constexpr std::string_view kCountUnder = "SELECT count(*) FROM cards WHERE kek_version = $1";
constexpr std::string_view kFirstErasure =
    "SELECT min(deleted_at) FROM cards WHERE deleted_at >= $1";

constexpr std::array kMoveColumns{
    Column{"id", ColumnType::bytes}, Column{"old_version", ColumnType::integer},
    Column{"new_version", ColumnType::integer}, Column{"dek", ColumnType::bytes}};
constexpr storage::ManySql kMove{
    "UPDATE cards SET wrapped_dek = given.dek, kek_version = given.new_version FROM {given}"
    " WHERE token_id = given.id AND kek_version = given.old_version RETURNING token_id",
    kMoveColumns};

}  // namespace

async::Task<Result<CardStore::OldDeks>> CardStore::old_deks(OldDeksAsked asked) {
  Statement statement{
      kSelectOldDeks,
      {Value::id(asked.after), Value::id(asked.last), Value::integer(asked.version_max),
       Value::integer(asked.rows_max), Value::integer(asked.deks_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  OldDeks page{.deks = {}, .last = asked.after, .rows = 0, .more = false};
  page.deks.reserve(rows.size());
  for (const Row& row : rows) {
    SR_CO_TRY(page.last, row[kId].id<TokenIdTag>());
    SR_CO_TRY(page.rows, row[kPlace].integer());
    if (row[kVersion].is_null()) continue;
    SR_CO_TRY(const std::int64_t version, row[kVersion].integer());
    if (version > asked.version_max) continue;
    page.deks.push_back({page.last, version, row[kDek].sealed()});
  }
  page.more = page.rows == asked.rows_max || std::ssize(rows) == asked.deks_max;
  co_return page;
}

async::Task<Result<std::size_t>> CardStore::move_deks(std::vector<MovedDek> deks) {
  std::vector<Row> rows;
  rows.reserve(deks.size());
  for (const MovedDek& dek : deks) {
    rows.push_back({Value::id(dek.token), Value::integer(dek.old_version),
                    Value::integer(dek.wrapped.key_version()), Value::sealed(dek.wrapped)});
  }
  SR_CO_TRY(const Rows moved, co_await storage::write_rows(database_, kMove, std::move(rows)));
  co_return moved.size();
}

async::Task<Result<std::int64_t>> CardStore::count_under(std::uint32_t version) {
  Statement count{kCountUnder, {Value::integer(version)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(count)));
  co_return rows.front()[0].integer();
}

async::Task<Result<std::optional<std::int64_t>>> CardStore::first_erasure_since(
    std::int64_t since_us) {
  Statement select{kFirstErasure, {Value::integer(since_us)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(select)));
  const Value& first = rows.front()[0];
  if (first.is_null()) co_return std::optional<std::int64_t>();
  SR_CO_TRY(const std::int64_t time, first.integer());
  co_return std::optional(time);
}

async::Task<Result<std::optional<TokenId>>> CardStore::find_id(Statement statement) {
  SR_CO_TRY(const Rows found, co_await database_.read(std::move(statement)));
  if (found.empty()) co_return std::optional<TokenId>{};
  SR_CO_TRY(const TokenId id, found.front()[0].id<TokenIdTag>());
  co_return std::optional<TokenId>(id);
}

async::Task<Result<std::optional<TokenId>>> CardStore::last_id() {
  return find_id(Statement{kSelectLast});
}

async::Task<Result<std::optional<TokenId>>> CardStore::id_at(std::int64_t rows, TokenId after) {
  std::vector<Value> parameters{Value::id(after), Value::integer(rows - 1)};
  return find_id(Statement{kSelectPlace, std::move(parameters)});
}

}  // namespace strongroom::cde

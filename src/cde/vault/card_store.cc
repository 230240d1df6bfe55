// The table of cards. A fingerprint of version n stands in the column of n's parity, so that two
// versions can live side by side while keys rotate.
#include "cde/vault/card_store.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/try.h"
#include "cde/keys/key_registry.h"
#include "cde/vault/card_rows.h"
#include "storage/sql_literal.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr std::array<std::string_view, 1> kVersion1{
    "CREATE TABLE cards ("
    " token_id bytea NOT NULL PRIMARY KEY,"
    " token_hash bytea NOT NULL UNIQUE,"
    " merchant_index bytea NOT NULL,"
    " merchant_index_version bigint NOT NULL,"
    " fingerprint_odd bytea UNIQUE,"
    " fingerprint_even bytea UNIQUE,"
    " fingerprint_version bigint NOT NULL,"
    " wrapped_dek bytea,"
    " kek_version bigint,"
    " card_sealed bytea,"
    " token_sealed bytea,"
    " merchant_sealed bytea,"
    " details_sealed bytea,"
    " created_at bigint NOT NULL,"
    " expires_at bigint,"
    " usage_count bigint NOT NULL,"
    " usage_limit bigint,"
    " deleted_at bigint,"
    " operation_id bytea NOT NULL)"};
constexpr std::array<std::string_view, 1> kVersion2{kCreateKeyRegistry};
// Cards that never expire, and those that are erased, cost it nothing.
constexpr std::array<std::string_view, 1> kVersion4{
    "CREATE INDEX cards_by_expiry ON cards (expires_at, token_id)"
    " WHERE expires_at IS NOT NULL AND deleted_at IS NULL"};
constexpr std::array kMigrations{storage::Migration{1, kVersion1}, storage::Migration{2, kVersion2},
                                 storage::Migration{3, kCreateProcessorTokens},
                                 storage::Migration{4, kVersion4}};

constexpr std::array kInsertColumns{
    Column{"token_id", ColumnType::bytes},
    Column{"token_hash", ColumnType::bytes},
    Column{"merchant_index", ColumnType::bytes},
    Column{"merchant_index_version", ColumnType::integer},
    Column{"fingerprint_odd", ColumnType::bytes},
    Column{"fingerprint_even", ColumnType::bytes},
    Column{"fingerprint_version", ColumnType::integer},
    Column{"wrapped_dek", ColumnType::bytes},
    Column{"kek_version", ColumnType::integer},
    Column{"card_sealed", ColumnType::bytes},
    Column{"token_sealed", ColumnType::bytes},
    Column{"merchant_sealed", ColumnType::bytes},
    Column{"details_sealed", ColumnType::bytes},
    Column{"created_at", ColumnType::integer},
    Column{"expires_at", ColumnType::integer},
    Column{"usage_count", ColumnType::integer},
    Column{"usage_limit", ColumnType::integer},
    Column{"operation_id", ColumnType::bytes},
};
constexpr storage::ManySql kInsert{
    "INSERT INTO cards(token_id, token_hash, merchant_index, merchant_index_version,"
    " fingerprint_odd, fingerprint_even, fingerprint_version, wrapped_dek, kek_version,"
    " card_sealed, token_sealed, merchant_sealed, details_sealed, created_at, expires_at,"
    " usage_count, usage_limit, operation_id)"
    " SELECT * FROM {given} WHERE true ON CONFLICT DO NOTHING RETURNING token_id",
    kInsertColumns};

constexpr auto kSelectByOddFingerprint =
    storage::join("SELECT ", kCardColumns, " FROM cards WHERE fingerprint_odd = $1");
constexpr auto kSelectByEvenFingerprint =
    storage::join("SELECT ", kCardColumns, " FROM cards WHERE fingerprint_even = $1");
constexpr auto kSelectByToken =
    storage::join("SELECT ", kCardColumns, " FROM cards WHERE token_hash = $1");
constexpr auto kSelectByTokenAndMerchant = storage::join(
    "SELECT ", kCardColumns, " FROM cards WHERE token_hash = $1 AND merchant_index = $2");

constexpr auto kSelectExpired = storage::join(
    "SELECT ", kCardColumns,
    " FROM cards WHERE expires_at IS NOT NULL AND deleted_at IS NULL AND expires_at <= $1"
    " AND (expires_at, token_id) > ($2, $3) ORDER BY expires_at, token_id LIMIT $4");

constexpr std::string_view kReleaseExpired =
    "UPDATE cards SET fingerprint_odd = NULL, fingerprint_even = NULL"
    " WHERE token_id = $1 AND expires_at <= $2";
constexpr std::string_view kReplace =
    "UPDATE cards SET card_sealed = $2, details_sealed = $3, operation_id = $4"
    " WHERE token_id = $1 AND deleted_at IS NULL";
constexpr char kEraseAllButExpiry[] =
    "UPDATE cards SET wrapped_dek = NULL, kek_version = NULL, fingerprint_odd = NULL,"
    " fingerprint_even = NULL, card_sealed = NULL, token_sealed = NULL, merchant_sealed = NULL,"
    " details_sealed = NULL, usage_limit = NULL, usage_count = 0, deleted_at = $2,"
    " operation_id = $3";
constexpr auto kErase = storage::join(
    kEraseAllButExpiry, ", expires_at = NULL WHERE token_id = $1 AND deleted_at IS NULL");
// What is left of an expired card says when that was: so its token still answers "expired".
constexpr auto kExpire = storage::join(
    kEraseAllButExpiry, " WHERE token_id = $1 AND deleted_at IS NULL AND expires_at <= $2");
constexpr std::string_view kForgetUses = "DELETE FROM token_uses WHERE token_id = $1";

// Natural batching (docs/performance.md): two batches under way keep both writer connections busy.
constexpr async::BatcherLimits kInsertLimits{
    .batch_max = 64, .queue_max = 4096, .in_flight_max = 2};

bool is_odd(std::uint32_t version) { return version % 2 == 1; }

Value optional_integer(const std::optional<std::int64_t>& value) {
  return value ? Value::integer(*value) : Value::null();
}

Value optional_sealed(const std::optional<crypto::Sealed>& value) {
  return value ? Value::sealed(*value) : Value::null();
}

Row to_row(const CardRow& card) {
  const Value print = Value::digest(card.fingerprint);
  const bool odd = is_odd(card.fingerprint_version);
  Row row;
  row.reserve(kInsertColumns.size());
  row.push_back(Value::id(card.token_id));
  row.push_back(Value::digest(card.token_hash));
  row.push_back(Value::digest(card.merchant_index));
  row.push_back(Value::integer(card.merchant_index_version));
  row.push_back(odd ? print : Value::null());
  row.push_back(odd ? Value::null() : print);
  row.push_back(Value::integer(card.fingerprint_version));
  row.push_back(Value::sealed(card.wrapped_dek));
  row.push_back(Value::integer(card.wrapped_dek.key_version()));
  row.push_back(Value::sealed(card.sealed.card));
  row.push_back(Value::sealed(card.sealed.token));
  row.push_back(Value::sealed(card.sealed.merchant));
  row.push_back(optional_sealed(card.sealed.details));
  row.push_back(Value::integer(card.created_at_us));
  row.push_back(optional_integer(card.expires_at_us));
  row.push_back(Value::integer(card.usage_count));
  row.push_back(optional_integer(card.usage_limit));
  row.push_back(Value::id(card.operation));
  return row;
}

}  // namespace

std::span<const storage::Migration> vault_migrations() noexcept { return kMigrations; }

CardStore::CardStore(async::Loop& loop, storage::Database& database)
    : database_(database), inserts_(loop, kInsertLimits, [this](std::vector<CardRow> rows) {
        return insert_batch(std::move(rows));
      }) {}

async::Task<Result<bool>> CardStore::insert(CardRow row) { return inserts_.submit(std::move(row)); }

async::Task<std::vector<Result<bool>>> CardStore::insert_batch(std::vector<CardRow> cards) {
  // In the order of fingerprints, so that two batches never wait for each other's rows crosswise.
  std::vector<std::size_t> order(cards.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return cards[i].fingerprint; });
  std::vector<Row> rows;
  rows.reserve(cards.size());
  for (const std::size_t i : order) rows.push_back(to_row(cards[i]));

  std::vector<Result<bool>> fates(cards.size(), Result<bool>(false));
  const Result<Rows> inserted = co_await storage::write_rows(database_, kInsert, std::move(rows));
  if (inserted) {
    std::set<TokenId> went_in;
    for (const Row& row : *inserted) {
      if (const auto id = row[0].id<TokenIdTag>()) went_in.insert(*id);
    }
    for (std::size_t i = 0; i < cards.size(); ++i) fates[i] = went_in.contains(cards[i].token_id);
    co_return fates;
  }
  const bool one_spoils_all = inserted.error().code() == ErrorCode::conflict ||
                              inserted.error().code() == ErrorCode::invalid_argument;
  if (!one_spoils_all || cards.size() == 1) {
    std::ranges::fill(fates, Result<bool>(fail(inserted.error())));
    co_return fates;
  }
  // Row by row, so that each card has its own fate.
  for (std::size_t i = 0; i < cards.size(); ++i) {
    std::vector<Row> single;
    single.push_back(to_row(cards[i]));
    const Result<Rows> alone = co_await storage::write_rows(database_, kInsert, std::move(single));
    fates[i] = alone ? Result<bool>(!alone->empty()) : Result<bool>(fail(alone.error()));
  }
  co_return fates;
}

async::Task<Result<CardStore::Found>> CardStore::find(Statement statement) {
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  if (rows.empty()) co_return Found{};
  co_return read_found(rows.front());
}

async::Task<Result<CardStore::Found>> CardStore::find_by_fingerprint(Fingerprint fingerprint,
                                                                     std::uint32_t version) {
  std::vector<Value> parameters{Value::digest(fingerprint)};
  const auto* const sql =
      is_odd(version) ? kSelectByOddFingerprint.data() : kSelectByEvenFingerprint.data();
  return find(Statement{sql, std::move(parameters)});
}

async::Task<Result<CardStore::Found>> CardStore::find_by_token(crypto::Sha3Digest512 token_hash) {
  std::vector<Value> parameters{Value::digest(token_hash)};
  return find(Statement{kSelectByToken.data(), std::move(parameters)});
}

async::Task<Result<CardStore::Found>> CardStore::find_by_token(crypto::Sha3Digest512 token_hash,
                                                               BlindIndex merchant) {
  std::vector<Value> parameters{Value::digest(token_hash), Value::digest(merchant)};
  return find(Statement{kSelectByTokenAndMerchant.data(), std::move(parameters)});
}

async::Task<Result<bool>> CardStore::update_one(Statement update, std::vector<Statement> rest) {
  update.expect_rows = 1;
  rest.insert(rest.begin(), std::move(update));
  const Result<std::vector<Rows>> written = co_await database_.write(std::move(rest));
  if (written) co_return true;
  const bool was_not_there =
      written.error().code() == ErrorCode::conflict && written.error().detail() == 0;
  if (was_not_there) co_return false;
  co_return fail(written.error());
}

async::Task<Result<std::vector<CardRow>>> CardStore::expired(std::int64_t until_us, ExpiryMark mark,
                                                             std::int64_t count_max) {
  Statement statement{kSelectExpired.data(),
                      {Value::integer(until_us), Value::integer(mark.expires_at_us),
                       Value::id(mark.token_id), Value::integer(count_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<CardRow> cards;
  cards.reserve(rows.size());
  for (const Row& row : rows) {
    SR_CO_TRY(Found found, read_found(row));
    cards.push_back(*std::move(found.card));
  }
  co_return cards;
}

async::Task<Result<bool>> CardStore::release_expired(TokenId token, std::int64_t now_us) {
  std::vector<Value> parameters{Value::id(token), Value::integer(now_us)};
  return update_one(Statement{kReleaseExpired, std::move(parameters)});
}

async::Task<Result<bool>> CardStore::replace(TokenId token, const crypto::Sealed& card,
                                             const std::optional<crypto::Sealed>& details,
                                             OperationId operation,
                                             std::span<const Removal> removals) {
  std::vector<Value> parameters{Value::id(token), Value::sealed(card), optional_sealed(details),
                                Value::id(operation)};
  return update_one(Statement{kReplace, std::move(parameters)},
                    statements_to_remove(token, removals));
}

async::Task<Result<bool>> CardStore::erase(TokenId token, Ending ending, std::int64_t now_us,
                                           OperationId operation,
                                           std::span<const Removal> removals) {
  std::vector<Value> parameters{Value::id(token), Value::integer(now_us), Value::id(operation)};
  const auto* const sql = ending == Ending::expired ? kExpire.data() : kErase.data();
  std::vector<Statement> rest = statements_to_remove(token, removals);
  rest.push_back({kForgetUses, {Value::id(token)}});
  return update_one(Statement{sql, std::move(parameters)}, std::move(rest));
}

}  // namespace strongroom::cde

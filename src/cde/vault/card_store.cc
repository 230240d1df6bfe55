// The table of cards. A fingerprint of version n stands in the column of n's parity, so that two
// versions can live side by side while keys rotate.
#include "cde/vault/card_store.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/try.h"
#include "cde/keys/key_registry.h"
#include "cde/keys/ledger_rows.h"
#include "cde/keys/vault_instances.h"
#include "cde/vault/card_rows.h"
#include "cde/vault/due_erasures.h"
#include "cde/vault/held_deletes.h"
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
constexpr std::array<std::string_view, 1> kVersion2{kCreateKeyVersions};
// Cards that never expire, and those that are erased, cost it nothing.
constexpr std::array<std::string_view, 1> kVersion4{
    "CREATE INDEX cards_by_expiry ON cards (expires_at, token_id)"
    " WHERE expires_at IS NOT NULL AND deleted_at IS NULL"};
// A table of its own: it stays as small as a day, however many cards there are, and nothing of a
// card that is erased is left for longer.
constexpr std::array<std::string_view, 2> kVersion5{
    "CREATE TABLE new_cards ("
    " token_id bytea NOT NULL PRIMARY KEY,"
    " likeness bigint NOT NULL,"
    " created_at bigint NOT NULL)",
    "CREATE INDEX new_cards_by_likeness ON new_cards (likeness, created_at)"};
// The payment that was counted last, by which its row is known to be due.
constexpr std::array<std::string_view, 1> kVersion6{"ALTER TABLE cards ADD COLUMN last_use bytea"};
constexpr std::array kVersion9{kCreateKeyRegistry[0], kCreateKeyRegistry[1], kCreateVaultInstances};
constexpr std::array kVersion10{kCreateBackupLedger[0], kCreateBackupLedger[1]};
// Cards that live cost it nothing.
constexpr std::array<std::string_view, 1> kVersion11{
    "CREATE INDEX cards_by_erasure ON cards (deleted_at) WHERE deleted_at IS NOT NULL"};
constexpr std::array kMigrations{storage::Migration{1, kVersion1},
                                 storage::Migration{2, kVersion2},
                                 storage::Migration{3, kCreateProcessorTokens},
                                 storage::Migration{4, kVersion4},
                                 storage::Migration{5, kVersion5},
                                 storage::Migration{6, kVersion6},
                                 storage::Migration{7, kCreateHeldDeletes},
                                 storage::Migration{8, kCreateDueErasures},
                                 storage::Migration{9, kVersion9},
                                 storage::Migration{10, kVersion10},
                                 storage::Migration{11, kVersion11}};

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
    Column{"new_likeness", ColumnType::integer},
    Column{"new_since", ColumnType::integer},
    Column{"new_max", ColumnType::integer},
};
constexpr char kInserted[] =
    "token_id, token_hash, merchant_index, merchant_index_version, fingerprint_odd,"
    " fingerprint_even, fingerprint_version, wrapped_dek, kek_version, card_sealed, token_sealed,"
    " merchant_sealed, details_sealed, created_at, expires_at, usage_count, usage_limit,"
    " operation_id";
// The count ends by itself: what is over the limit does not go in. Nor does what came too late for
// the KEK that it is under (KeyRecords::kek_floor).
constexpr auto kInsertText = storage::join(
    "INSERT INTO cards(", kInserted, ") SELECT ", kInserted,
    " FROM {given} WHERE given.new_max > (SELECT count(*) FROM new_cards"
    " WHERE new_cards.likeness = given.new_likeness AND new_cards.created_at > given.new_since)"
    " AND given.kek_version >= (SELECT kek_floor FROM keys_seal)"
    " ON CONFLICT DO NOTHING RETURNING token_id");
constexpr storage::ManySql kInsert{kInsertText.data(), kInsertColumns};
constexpr std::array kCountColumns{Column{"id", ColumnType::bytes},
                                   Column{"new_likeness", ColumnType::integer},
                                   Column{"at", ColumnType::integer}};
constexpr storage::ManySql kCountNew{
    "INSERT INTO new_cards(token_id, likeness, created_at)"
    " SELECT given.id, given.new_likeness, given.at FROM {given}"
    " JOIN cards ON cards.token_id = given.id WHERE true ON CONFLICT DO NOTHING",
    kCountColumns};

// One row always: what is alike, and the card if there is one.
constexpr char kAlike[] =
    ", alike, oldest FROM (SELECT CAST(count(*) AS bigint) AS alike, min(created_at) AS oldest"
    " FROM new_cards WHERE likeness = $2 AND created_at > $3) AS counted"
    " LEFT JOIN cards ON ";
enum AlikeColumn : std::size_t { kAlikeCount = kCardColumnCount, kOldest };
constexpr auto kStandingByOdd =
    storage::join("SELECT ", kCardColumns, kAlike, "fingerprint_odd = $1");
constexpr auto kStandingByEven =
    storage::join("SELECT ", kCardColumns, kAlike, "fingerprint_even = $1");
// By the time in the ids, in whose order they are.
constexpr std::string_view kForgetNew =
    "DELETE FROM new_cards WHERE token_id IN (SELECT token_id FROM new_cards"
    " WHERE token_id < $1 ORDER BY token_id LIMIT 1000) RETURNING token_id";
constexpr auto kSelectByToken =
    storage::join("SELECT ", kCardColumns, " FROM cards WHERE token_hash = $1");
constexpr auto kSelectByTokenAndMerchant = storage::join(
    "SELECT ", kCardColumns, " FROM cards WHERE token_hash = $1 AND merchant_index = $2");

constexpr auto kSelectExpired = storage::join(
    "SELECT ", kCardColumns,
    " FROM cards WHERE expires_at IS NOT NULL AND deleted_at IS NULL AND expires_at <= $1"
    " AND (expires_at, token_id) > ($2, $3) ORDER BY expires_at, token_id LIMIT $4");

constexpr std::string_view kSelectLives =
    "SELECT token_id, merchant_index, created_at, expires_at FROM cards"
    " WHERE token_id > $1 AND deleted_at IS NULL ORDER BY token_id LIMIT $2";
constexpr std::array kEndColumns{Column{"id", ColumnType::bytes},
                                 Column{"end_at", ColumnType::integer}};
constexpr storage::ManySql kShorten{
    "UPDATE cards SET expires_at = given.end_at FROM {given} WHERE token_id = given.id"
    " AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > given.end_at)",
    kEndColumns};

constexpr std::string_view kReleaseExpired =
    "UPDATE cards SET fingerprint_odd = NULL, fingerprint_even = NULL"
    " WHERE token_id = $1 AND expires_at <= $2";
constexpr std::string_view kReplace =
    "UPDATE cards SET card_sealed = $2, details_sealed = $3, operation_id = $4"
    " WHERE token_id = $1 AND deleted_at IS NULL";
// Natural batching (docs/performance.md): two batches under way keep both writer connections busy.
constexpr async::BatcherLimits kInsertLimits{
    .batch_max = 64, .queue_max = 4096, .in_flight_max = 2, .wait_max = kCardWaitMax};

constexpr std::int64_t kNewForUs =
    std::chrono::duration_cast<std::chrono::microseconds>(CardStore::kNewFor).count();

bool is_odd(std::uint32_t version) { return version % 2 == 1; }

Value optional_integer(const std::optional<std::int64_t>& value) {
  return value ? Value::integer(*value) : Value::null();
}

Value optional_sealed(const std::optional<crypto::Sealed>& value) {
  return value ? Value::sealed(*value) : Value::null();
}

Row to_row(const CardRow& card, Likeness likeness, std::int64_t room) {
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
  row.push_back(Value::integer(likeness));
  row.push_back(Value::integer(card.created_at_us - kNewForUs));
  row.push_back(Value::integer(room));
  return row;
}

Row to_counted(const CardRow& card, Likeness likeness) {
  return {Value::id(card.token_id), Value::integer(likeness), Value::integer(card.created_at_us)};
}

// Suspends into `place`, for who resumes it.
struct HeldBack {
  std::coroutine_handle<>& place;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { place = waiter; }
  void await_resume() const noexcept {}
};

}  // namespace

std::span<const storage::Migration> vault_migrations() noexcept { return kMigrations; }

CardStore::CardStore(async::Loop& loop, storage::Database& database, std::int64_t alike_max)
    : database_(database),
      alike_max_(alike_max),
      inserts_(loop, kInsertLimits,
               [this](std::vector<NewCard> cards) { return insert_batch(std::move(cards)); }) {}

async::Task<Result<bool>> CardStore::insert(CardRow row, Likeness likeness) {
  return inserts_.submit(NewCard{std::move(row), likeness, alike_max_});
}

// How many other cards that are like this one are being inserted.
std::int64_t CardStore::others_like(const NewCard& card) const {
  const auto own = std::pair(card.likeness, card.row.fingerprint);
  std::int64_t count = 0;
  for (auto one = under_way_.lower_bound({card.likeness, Fingerprint{}});
       one != under_way_.end() && one->first.first == card.likeness; ++one) {
    if (one->first != own) ++count;
  }
  return count;
}

// A batch sees nothing of the cards in it before it commits, so each leaves room to those before
// it. Of another batch under way it would not know whether its cards count already: so one with
// cards that are alike waits until that has ended, and is the only one that waits.
async::Task<std::vector<Result<bool>>> CardStore::insert_batch(std::vector<NewCard> cards) {
  static_assert(kInsertLimits.in_flight_max == 2);
  if (std::ranges::any_of(cards, [&](const NewCard& card) { return others_like(card) > 0; })) {
    co_await HeldBack{held_back_};
  }
  for (NewCard& card : cards) {
    card.room -= others_like(card);
    ++under_way_[{card.likeness, card.row.fingerprint}];
  }
  std::vector<Result<bool>> fates = co_await storage::write_batch<bool>(
      std::span<const NewCard>(cards),
      [this](std::span<const NewCard> some) { return insert_together(some); });
  for (const NewCard& card : cards) {
    const auto own = under_way_.find({card.likeness, card.row.fingerprint});
    if (--own->second == 0) under_way_.erase(own);
  }
  if (held_back_) std::exchange(held_back_, nullptr).resume();
  co_return fates;
}

// In the order of fingerprints, so that two batches never wait for each other's rows crosswise.
async::Task<Result<std::vector<bool>>> CardStore::insert_together(std::span<const NewCard> cards) {
  std::vector<const NewCard*> order;
  order.reserve(cards.size());
  for (const NewCard& card : cards) order.push_back(&card);
  std::ranges::sort(order, {}, [](const NewCard* card) { return card->row.fingerprint; });
  std::vector<Row> rows, counted;
  rows.reserve(cards.size());
  counted.reserve(cards.size());
  for (const NewCard* card : order) {
    rows.push_back(to_row(card->row, card->likeness, card->room));
    counted.push_back(to_counted(card->row, card->likeness));
  }
  std::vector<storage::ManyStatement> statements;
  statements.push_back({kInsert, std::move(rows)});
  statements.push_back({kCountNew, std::move(counted)});
  SR_CO_TRY(const std::vector<Rows> written, co_await database_.write_many(std::move(statements)));
  std::set<TokenId> went_in;
  for (const Row& row : written.front()) {
    SR_CO_TRY(const TokenId id, row[0].id<TokenIdTag>());
    went_in.insert(id);
  }
  std::vector<bool> fates;
  fates.reserve(cards.size());
  for (const NewCard& card : cards) fates.push_back(went_in.contains(card.row.token_id));
  co_return fates;
}

async::Task<Result<CardStore::Found>> CardStore::find(Statement statement) {
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  if (rows.empty()) co_return Found{};
  co_return read_found(rows.front());
}

async::Task<Result<CardStore::Standing>> CardStore::standing(const CardRow& row,
                                                             Likeness likeness) {
  const auto* const sql =
      is_odd(row.fingerprint_version) ? kStandingByOdd.data() : kStandingByEven.data();
  Statement statement{sql,
                      {Value::digest(row.fingerprint), Value::integer(likeness),
                       Value::integer(row.created_at_us - kNewForUs)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  const Row& answer = rows.front();
  Standing standing;
  if (!answer[kTokenId].is_null()) {
    SR_CO_TRY(standing.found, read_found(answer));
  }
  SR_CO_TRY(const std::int64_t alike, answer[kAlikeCount].integer());
  if (alike < alike_max_) co_return standing;
  SR_CO_TRY(const std::int64_t oldest, answer[kOldest].integer());
  standing.full_until_us = oldest + kNewForUs;
  co_return standing;
}

async::Task<Result<std::size_t>> CardStore::forget_new(std::int64_t now_us) {
  const auto until_ms = static_cast<std::uint64_t>((now_us - kNewForUs) / 1000);
  const TokenId first_kept{uuid_v7(until_ms, std::array<std::byte, 10>{})};
  std::vector<Statement> statements;
  statements.push_back({kForgetNew, {Value::id(first_kept)}});
  SR_CO_TRY(const std::vector<Rows> forgotten, co_await database_.write(std::move(statements)));
  co_return forgotten.front().size();
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

async::Task<Result<std::vector<CardStore::Life>>> CardStore::lives(TokenId mark,
                                                                   std::int64_t count_max) {
  Statement statement{kSelectLives, {Value::id(mark), Value::integer(count_max)}};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  std::vector<Life> page;
  page.reserve(rows.size());
  for (const Row& row : rows) {
    SR_CO_TRY(const TokenId token_id, row[0].id<TokenIdTag>());
    SR_CO_TRY(const auto merchant, row[1].digest<32>());
    SR_CO_TRY(const std::int64_t created_at, row[2].integer());
    Life life{token_id, merchant, created_at, std::nullopt};
    if (!row[3].is_null()) {
      SR_CO_TRY(life.expires_at_us, row[3].integer());
    }
    page.push_back(life);
  }
  co_return page;
}

async::Task<Result<void>> CardStore::shorten(std::vector<Life> cards) {
  std::vector<Row> rows;
  rows.reserve(cards.size());
  for (const Life& card : cards) {
    rows.push_back({Value::id(card.token_id), optional_integer(card.expires_at_us)});
  }
  SR_CO_CHECK_OK(co_await storage::write_rows(database_, kShorten, std::move(rows)));
  co_return Result<void>{};
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

}  // namespace strongroom::cde

// The statements that end a card. What is dropped is dropped in one transaction, whose first
// statement takes the row, so that nothing is put beside the card meanwhile.
#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "cde/vault/card_store.h"
#include "storage/sql_literal.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr char kEraseAllButExpiry[] =
    "UPDATE cards SET wrapped_dek = NULL, kek_version = NULL, fingerprint_odd = NULL,"
    " fingerprint_even = NULL, card_sealed = NULL, token_sealed = NULL, merchant_sealed = NULL,"
    " details_sealed = NULL, usage_limit = NULL, usage_count = 0, last_use = NULL";
constexpr auto kErase = storage::join(kEraseAllButExpiry,
                                      ", deleted_at = $2, operation_id = $3, expires_at = NULL"
                                      " WHERE token_id = $1 AND deleted_at IS NULL");
constexpr std::string_view kForgetUses = "DELETE FROM token_uses WHERE token_id = $1";
constexpr std::string_view kForgetHeld = "DELETE FROM held_deletes WHERE token_id = $1";

constexpr std::array kLockColumns{Column{"id", ColumnType::bytes}};
constexpr storage::ManySql kLock{
    .sql =
        "SELECT token_id FROM {given} JOIN cards ON token_id = given.id"
        " WHERE deleted_at IS NULL",
    .given = kLockColumns,
    .locks = true};
constexpr storage::ManySql kErasedOf{
    "SELECT token_id FROM {given} JOIN cards ON token_id = given.id WHERE deleted_at IS NOT NULL",
    kLockColumns};
constexpr std::array kEraseColumns{
    Column{"id", ColumnType::bytes}, Column{"operation", ColumnType::bytes},
    Column{"at", ColumnType::integer}, Column{"stored", ColumnType::integer}};
// A card that has other processor tokens than were read stays: they were not queued for removal.
constexpr char kOfGiven[] =
    " FROM {given} WHERE token_id = given.id AND deleted_at IS NULL AND given.stored ="
    " (SELECT count(*) FROM processor_tokens WHERE processor_tokens.token_id = given.id)";
constexpr auto kEraseManyText =
    storage::join(kEraseAllButExpiry,
                  ", deleted_at = given.at, operation_id = given.operation, expires_at = NULL",
                  kOfGiven, " RETURNING token_id");
// What is left of an expired card says when that was: so its token still answers "expired".
constexpr auto kExpireManyText =
    storage::join(kEraseAllButExpiry, ", deleted_at = given.at, operation_id = given.operation",
                  kOfGiven, " AND expires_at <= given.at RETURNING token_id");
constexpr storage::ManySql kEraseMany{storage::view(kEraseManyText), kEraseColumns};
constexpr storage::ManySql kExpireMany{storage::view(kExpireManyText), kEraseColumns};

// Of those that were erased, which the operation tells.
constexpr char kErased[] =
    " WHERE token_id IN (SELECT cards.token_id FROM {given}"
    " JOIN cards ON cards.token_id = given.id AND cards.operation_id = given.operation)";
constexpr std::array kErasedColumns{Column{"id", ColumnType::bytes},
                                    Column{"operation", ColumnType::bytes}};
constexpr auto kTakeStoredText = storage::join("DELETE FROM processor_tokens", kErased);
constexpr auto kForgetUsesText = storage::join("DELETE FROM token_uses", kErased);
constexpr auto kForgetHeldText = storage::join("DELETE FROM held_deletes", kErased);
constexpr std::array kForgetMany{storage::ManySql{storage::view(kTakeStoredText), kErasedColumns},
                                 storage::ManySql{storage::view(kForgetUsesText), kErasedColumns},
                                 storage::ManySql{storage::view(kForgetHeldText), kErasedColumns}};
constexpr auto kQueueErasedText = storage::join(
    kQueueOfGiven,
    " JOIN cards ON cards.token_id = given.id AND cards.operation_id = given.operation");
constexpr storage::ManySql kQueueErased{storage::view(kQueueErasedText), kQueueColumns};

}  // namespace

async::Task<Result<std::vector<TokenId>>> CardStore::erased_of(std::vector<TokenId> tokens) {
  std::vector<Row> given;
  given.reserve(tokens.size());
  for (const TokenId& token : tokens) given.push_back({Value::id(token)});
  storage::ManyStatement statement{kErasedOf, std::move(given)};
  SR_CO_TRY(const Rows rows, co_await database_.read_many(std::move(statement)));
  std::vector<TokenId> erased;
  for (const Row& row : rows) {
    SR_CO_TRY(const TokenId id, row[0].id<TokenIdTag>());
    erased.push_back(id);
  }
  co_return erased;
}

async::Task<Result<bool>> CardStore::erase(TokenId token, std::int64_t now_us,
                                           OperationId operation,
                                           std::span<const Removal> removals) {
  std::vector<Value> parameters{Value::id(token), Value::integer(now_us), Value::id(operation)};
  std::vector<Statement> rest = statements_to_remove(token, removals);
  rest.push_back({kForgetUses, {Value::id(token)}});
  rest.push_back({kForgetHeld, {Value::id(token)}});
  return update_one(Statement{storage::view(kErase), std::move(parameters)}, std::move(rest));
}

async::Task<Result<std::set<TokenId>>> CardStore::erase_all(std::vector<Erasing> cards,
                                                            Ending ending, std::int64_t now_us) {
  // In one order, so that two batches never wait for each other's rows crosswise.
  std::ranges::sort(cards, {}, &Erasing::token);
  std::vector<Row> locked, erased, forgotten, queued;
  for (const Erasing& card : cards) {
    const Value id = Value::id(card.token), operation = Value::id(card.operation);
    locked.push_back({id});
    erased.push_back({id, operation, Value::integer(now_us),
                      Value::integer(static_cast<std::int64_t>(card.removals.size()))});
    forgotten.push_back({id, operation});
    for (const Removal& one : card.removals) {
      queued.push_back(queue_row(card.token, card.operation, one));
    }
  }
  std::vector<storage::ManyStatement> statements;
  statements.push_back({kLock, std::move(locked)});
  statements.push_back({ending == Ending::expired ? kExpireMany : kEraseMany, std::move(erased)});
  for (const storage::ManySql& forget : kForgetMany) statements.push_back({forget, forgotten});
  statements.push_back({kQueueErased, std::move(queued)});
  SR_CO_TRY(const std::vector<Rows> written, co_await database_.write_many(std::move(statements)));
  std::set<TokenId> gone;
  for (const Row& row : written[1]) {
    SR_CO_TRY(const TokenId id, row[0].id<TokenIdTag>());
    gone.insert(id);
  }
  co_return gone;
}

}  // namespace strongroom::cde

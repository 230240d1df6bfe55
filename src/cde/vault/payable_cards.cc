// One statement for the cards of a batch.
#include "cde/vault/payable_cards.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/try.h"
#include "cde/vault/card_rows.h"
#include "storage/sql_literal.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Value;

// After kCardColumns; null where no processor has the card.
constexpr auto kFindText = storage::join(
    "SELECT ", kCardColumns,
    ", account_key, sealed, put_by FROM cards JOIN {given} ON token_hash = given.asked"
    " LEFT JOIN (SELECT token_id AS owner, account_key, sealed, operation_id AS put_by"
    " FROM processor_tokens) AS stored ON owner = token_id");
enum StoredColumn : std::size_t { kAccountKey = kCardColumnCount, kSealed, kPutBy };
constexpr std::array kGiven{storage::Column{"asked", storage::ColumnType::bytes}};
constexpr storage::ManySql kFind{kFindText.data(), kGiven};

constexpr async::BatcherLimits kLimits{
    .batch_max = 64, .queue_max = 4096, .in_flight_max = 2, .pace = kPaymentPace};

Result<ProcessorTokenRow> read_stored(const Row& row) {
  SR_TRY(const auto account, row[kAccountKey].digest<32>());
  SR_TRY(crypto::Sealed sealed, row[kSealed].sealed());
  SR_TRY(const OperationId operation, row[kPutBy].id<OperationIdTag>());
  return ProcessorTokenRow{account, std::move(sealed), operation};
}

}  // namespace

const ProcessorTokenRow* PayableCard::at(const AccountKey& account) const noexcept {
  const auto row = std::ranges::find(processor_tokens, account, &ProcessorTokenRow::account);
  return row == processor_tokens.end() ? nullptr : &*row;
}

PayableCards::PayableCards(async::Loop& loop, storage::Database& database)
    : database_(database), finds_(loop, kLimits, [this](std::vector<Asked> asked) {
        return find_batch(std::move(asked));
      }) {}

async::Task<Result<PayableCard>> PayableCards::find(crypto::Sha3Digest512 token_hash,
                                                    BlindIndex merchant) {
  return finds_.submit(Asked{token_hash, merchant});
}

async::Task<std::vector<Result<PayableCard>>> PayableCards::find_batch(std::vector<Asked> asked) {
  RowsOfCards found;  // payments of one card ask for it once
  for (const Asked& one : asked) found.try_emplace(one.token_hash);
  storage::ManyStatement statement{kFind, {}};
  for (const auto& [token_hash, none] : found) {
    statement.rows.push_back({Value::digest(token_hash)});
  }
  const Result<Rows> rows = co_await database_.read_many(std::move(statement));
  const Result<void> sorted = rows ? sort_into(found, *rows) : fail(rows.error());
  std::vector<Result<PayableCard>> cards;
  cards.reserve(asked.size());
  for (const Asked& one : asked) {
    cards.push_back(sorted ? card_of(found[one.token_hash], one.merchant)
                           : Result<PayableCard>(fail(sorted.error())));
  }
  co_return cards;
}

Result<void> PayableCards::sort_into(RowsOfCards& found, const Rows& rows) {
  for (const Row& row : rows) {
    SR_TRY(const auto token_hash, row[kTokenHash].digest<64>());
    found[token_hash].push_back(&row);
  }
  return {};
}

Result<PayableCard> PayableCards::card_of(std::span<const Row* const> rows,
                                          const BlindIndex& merchant) {
  PayableCard card;
  for (const Row* row : rows) {
    SR_TRY(const auto owner, (*row)[kMerchantIndex].digest<32>());
    if (owner != merchant) continue;
    SR_TRY(card.found, read_found(*row));
    if ((*row)[kAccountKey].is_null()) continue;
    SR_TRY(ProcessorTokenRow stored, read_stored(*row));
    card.processor_tokens.push_back(std::move(stored));
  }
  return card;
}

}  // namespace strongroom::cde

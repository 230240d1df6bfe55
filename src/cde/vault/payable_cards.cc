// Statements of a few widths, each prepared once: what is short of one repeats its last token.
#include "cde/vault/payable_cards.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "cde/vault/card_rows.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

// After kCardColumns; null where no processor has the card.
constexpr char kMore[] =
    ", account_key, sealed, put_by FROM cards LEFT JOIN (SELECT token_id AS owner, account_key,"
    " sealed, operation_id AS put_by FROM processor_tokens) AS stored ON owner = token_id"
    " WHERE token_hash IN ";
enum StoredColumn : std::size_t { kAccountKey = kCardColumnCount, kSealed, kPutBy };

constexpr auto kFindOne = join("SELECT ", kCardColumns, kMore, "($1)");
constexpr auto kFindFour = join("SELECT ", kCardColumns, kMore, "($1, $2, $3, $4)");
constexpr auto kFindSixteen = join("SELECT ", kCardColumns, kMore,
                                   "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
                                   " $15, $16)");
struct Find {
  std::size_t width;
  std::string_view sql;
};
constexpr std::array kFinds{Find{1, kFindOne.data()}, Find{4, kFindFour.data()},
                            Find{16, kFindSixteen.data()}};

// Natural batching (docs/performance.md).
constexpr async::BatcherLimits kLimits{
    .batch_max = kFinds.back().width, .queue_max = 4096, .in_flight_max = 2};

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
  const Find& find = *std::ranges::lower_bound(kFinds, asked.size(), {}, &Find::width);
  Statement statement{find.sql};
  for (std::size_t i = 0; i < find.width; ++i) {
    const Asked& one = asked[std::min(i, asked.size() - 1)];
    statement.parameters.push_back(Value::digest(one.token_hash));
  }
  const Result<Rows> rows = co_await database_.read(std::move(statement));
  std::vector<Result<PayableCard>> cards;
  cards.reserve(asked.size());
  for (const Asked& one : asked) {
    cards.push_back(rows ? card_of(*rows, one) : Result<PayableCard>(fail(rows.error())));
  }
  co_return cards;
}

Result<PayableCard> PayableCards::card_of(const Rows& rows, const Asked& asked) {
  PayableCard card;
  for (const Row& row : rows) {
    SR_TRY(const auto token_hash, row[kTokenHash].digest<64>());
    SR_TRY(const auto merchant, row[kMerchantIndex].digest<32>());
    if (token_hash != asked.token_hash || merchant != asked.merchant) continue;
    SR_TRY(card.found, read_found(row));
    if (row[kAccountKey].is_null()) continue;
    SR_TRY(ProcessorTokenRow stored, read_stored(row));
    card.processor_tokens.push_back(std::move(stored));
  }
  return card;
}

}  // namespace strongroom::cde

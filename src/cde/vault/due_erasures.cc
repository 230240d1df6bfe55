// Reading the list, and working it off.
#include "cde/vault/due_erasures.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "audit/entry_list.h"
#include "base/log.h"
#include "base/try.h"
#include "cde/vault/public_token.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;

constexpr std::string_view kNote =
    "INSERT INTO due_erasures(token_hash, expired) VALUES($1, $2) ON CONFLICT DO NOTHING";
constexpr std::string_view kSome =
    "SELECT token_hash, expired FROM due_erasures ORDER BY token_hash LIMIT 64";
constexpr std::string_view kDone = "DELETE FROM due_erasures WHERE token_hash = $1";

constexpr Error kNotTold{ErrorCode::corrupt, "dump is not followed by what was erased since"};
constexpr Error kNotErased{ErrorCode::unavailable,
                           "a card that was erased before the restore cannot be erased yet"};

Result<Statement> statement_of(const audit::Entry& entry) {
  const bool expired = entry.event_type == audit::EventType::token_expire;
  if (!expired && entry.event_type != audit::EventType::token_delete) return fail(kNotTold);
  const auto token = PublicToken::parse(entry.gateway_token);
  if (!token) return fail(kNotTold);
  return Statement{kNote, {Value::digest(token->hash()), Value::integer(expired ? 1 : 0)}};
}

}  // namespace

Result<std::vector<Statement>> read_due_erasures(const storage::Source& source) {
  std::vector<Statement> statements;
  const auto read =
      audit::read_entry_list(source, [&statements](const audit::Entry& entry) -> Result<void> {
        SR_TRY(Statement statement, statement_of(entry));
        statements.push_back(std::move(statement));
        return {};
      });
  if (!read) return fail(read.error().code() == ErrorCode::corrupt ? kNotTold : read.error());
  SR_CHECK_OK(storage::nothing_more(source));
  return statements;
}

// A card that is not there was made after the backup, or is erased already: done.
struct DueErasures::Batch {
  struct Due {
    crypto::Sha3Digest512 token_hash;
    Ending ending = Ending::deleted;  // as it is told now
    std::optional<CardRow> card;
  };
  std::vector<Due> due;
};

async::Task<Result<DueErasures::Batch>> DueErasures::next_batch() {
  Statement statement{kSome};
  SR_CO_TRY(const Rows rows, co_await database_.read(std::move(statement)));
  Batch batch;
  batch.due.reserve(rows.size());
  for (const Row& row : rows) {
    SR_CO_TRY(const auto token_hash, row[0].digest<64>());
    SR_CO_TRY(const std::int64_t expired, row[1].integer());
    SR_CO_TRY(CardStore::Found found, co_await cards_.find_by_token(token_hash));
    // Its time may have been set after the backup.
    const bool over =
        found.card && found.card->expires_at_us && *found.card->expires_at_us <= clock_.now_us();
    const Ending ending = expired != 0 && over ? Ending::expired : Ending::deleted;
    batch.due.push_back({token_hash, ending, std::move(found.card)});
  }
  co_return batch;
}

async::Task<void> DueErasures::erase(Batch& batch, Ending ending) {
  std::vector<Batch::Due*> chosen;
  std::vector<Vault::Doomed> doomed;
  for (Batch::Due& due : batch.due) {
    if (!due.card || due.ending != ending) continue;
    chosen.push_back(&due);
    doomed.push_back({.card = *due.card, .by = {}});
  }
  if (doomed.empty()) co_return;
  const std::vector<Vault::Fate> fates =
      co_await vault_.erase_all(std::move(doomed), ending, "restore");
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] == Vault::Fate::erased) chosen[i]->card.reset();
  }
}

// unavailable: not all of the batch is done.
async::Task<Result<void>> DueErasures::forget_done(Batch batch) {
  std::vector<Statement> done;
  done.reserve(batch.due.size());
  for (const Batch::Due& due : batch.due) {
    if (!due.card) done.push_back({kDone, {Value::digest(due.token_hash)}});
  }
  const bool all = done.size() == batch.due.size();
  if (!done.empty()) SR_CO_CHECK_OK(co_await database_.write(std::move(done)));
  if (!all) co_return fail(kNotErased);
  co_return Result<void>{};
}

async::Task<Result<std::uint64_t>> DueErasures::run() {
  std::uint64_t count = 0;
  while (true) {
    SR_CO_TRY(Batch batch, co_await next_batch());
    if (batch.due.empty()) break;
    const std::size_t size = batch.due.size();
    co_await erase(batch, Ending::deleted);
    co_await erase(batch, Ending::expired);
    SR_CO_CHECK_OK(co_await forget_done(std::move(batch)));
    count += size;
  }
  if (count > 0) {
    log::info("what was erased before the restore is erased again",
              {{"count", static_cast<std::int64_t>(count)}});
  }
  co_return count;
}

}  // namespace strongroom::cde

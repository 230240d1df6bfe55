// What became of an operation whose outcome is not in the log: the database knows.
#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "cde/vault/vault.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;

constexpr std::chrono::milliseconds kWaitStep{50};

}  // namespace

// A token is random, so its row exists only if its creation committed. An update is done when the
// row names it or a later operation: ids sort by time, and a later one found the row that the
// update left. A processor token is kept when the account's row names the operation, or a later one
// that put another in its place.
async::Task<Result<Outcome>> Vault::outcome_in_database(const audit::Entry& intent) {
  // Of many tokens at once; what was not done, the job does again.
  if (intent.operation == kRetentionOperation) co_return Outcome::unknown;
  if (intent.event_type == EventType::delete_release ||
      intent.event_type == EventType::delete_refuse) {
    co_return Outcome::unknown;  // the same; the operator's list shows what is left
  }
  if (intent.operation == kKeysOperation) co_return co_await parts_.key_keeper.outcome_of(intent);
  const Result<PublicToken> token = PublicToken::parse(intent.gateway_token);
  if (!token) co_return Outcome::not_done;
  SR_CO_TRY(const CardStore::Found found, co_await parts_.cards.find_by_token(token->hash()));
  bool done = false;
  if (intent.event_type == EventType::token_create) {
    done = found.card || found.tombstone;
  } else if (intent.event_type == EventType::token_delete ||
             intent.event_type == EventType::token_expire) {
    done = found.tombstone && found.tombstone->operation == intent.operation_id;
  } else if (intent.event_type == EventType::token_update ||
             intent.event_type == EventType::processor_token_delete) {
    const OperationId last = found.card        ? found.card->operation
                             : found.tombstone ? found.tombstone->operation
                                               : OperationId{};
    done = last >= intent.operation_id;
  } else if (intent.event_type == EventType::processor_token_resolve && found.card) {
    const TokenId id = found.card->token_id;
    const std::string account = intent.resources.size() > 1 ? intent.resources[1] : std::string();
    SR_CO_TRY(const auto row, co_await parts_.processor_tokens.find(id, account_key(id, account)));
    done = row && row->operation >= intent.operation_id;
  }
  if (intent.event_type == EventType::delete_hold)
    co_return co_await outcome_of_hold(intent, found);
  if (done) co_return Outcome::done;
  // Whether the processor got the card, its connector's entries tell.
  const bool at_processor = intent.event_type == EventType::processor_token_resolve;
  co_return at_processor ? Outcome::unknown : Outcome::not_done;
}

// One that does not stand there may have been decided on since, by way of another vaultd.
async::Task<Result<Outcome>> Vault::outcome_of_hold(const audit::Entry& intent,
                                                    const CardStore::Found& found) {
  if (!found.card) co_return Outcome::unknown;
  SR_CO_TRY(const auto held, co_await parts_.held_deletes.find(found.card->token_id));
  if (!held) co_return Outcome::unknown;
  co_return held->operation == intent.operation_id ? Outcome::done : Outcome::not_done;
}

async::Task<Result<void>> Vault::close_open_intents() {
  SR_CO_TRY(const std::vector<audit::OpenIntent> open, co_await parts_.recorder.open_intents());
  std::optional<SteadyTime> answered;
  for (const audit::OpenIntent& intent : open) {
    SR_CO_TRY(Outcome outcome, co_await outcome_in_database(intent));
    if (!answered) answered = std::chrono::steady_clock::now();
    if (outcome != Outcome::done) {
      // The database does not notice at once that the process which asked it was killed.
      SR_CO_CHECK_OK(co_await wait_for_late_commits(*answered));
      SR_CO_TRY(outcome, co_await outcome_in_database(intent));
    }
    conclude(intent, outcome);
  }
  if (!open.empty()) {
    log::info("open intents closed", {{"count", static_cast<std::int64_t>(open.size())}});
  }
  co_return Result<void>{};
}

// Until nothing can commit that was sent to the database before it `answered`: one that was frozen
// begins then with what lay before it. A statement ends soon; a commit that waits for a standby
// does not, and cannot be seen. unavailable: there may be one, or stopped meanwhile.
async::Task<Result<void>> Vault::wait_for_late_commits(SteadyTime answered) {
  while (std::chrono::steady_clock::now() < answered + parts_.commit_lag_max) {
    if (stopping_) co_return fail({ErrorCode::unavailable, "stopped before recovery was over"});
    co_await parts_.loop.sleep_for(kWaitStep);
  }
  // Half of it: also one that the database was late to begin with.
  SR_CO_TRY(const bool open, co_await parts_.cards.has_open_for(parts_.commit_lag_max / 2));
  if (open) co_return fail({ErrorCode::unavailable, "a commit in the database does not end"});
  co_return Result<void>{};
}

async::Task<Result<Outcome>> Vault::final_outcome(const audit::Entry& intent) {
  SR_CO_TRY(const Outcome outcome, co_await outcome_in_database(intent));
  if (outcome == Outcome::done) co_return outcome;
  SR_CO_CHECK_OK(co_await wait_for_late_commits(std::chrono::steady_clock::now()));
  co_return co_await outcome_in_database(intent);
}

async::Task<void> Vault::settle(audit::Entry intent) {
  for (;;) {
    co_await parts_.loop.sleep_for(kSettleStep);
    if (stopping_) co_return;
    const Result<Outcome> outcome = co_await final_outcome(intent);
    if (outcome) {
      conclude(intent, *outcome);
      co_return;
    }
  }
}

}  // namespace strongroom::cde

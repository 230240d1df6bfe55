// Erasing cards: one for its merchant, or many at once that are due.
#include <set>
#include <utility>

#include "async/when_all.h"
#include "cde/vault/vault.h"
#include "cde/vault/vault_answers.h"

namespace strongroom::cde {

using audit::EventType;
using audit::Outcome;
using audit::Phase;

struct Vault::BatchCard {
  Doomed doomed;
  std::optional<audit::Entry> intent{};  // once it is durable
  std::vector<Removal> removals{};
  Fate fate = Fate::failed;
};

// What goes in one transaction, and what became of it.
struct Vault::Batch {
  std::vector<BatchCard> cards{};
  Ending ending;
  std::string operation;
  ProcessorTokenStore::OfTokens stored{};
  std::size_t next = 0;  // nobody has begun with this card and those behind it
};

async::Task<Answer<Erasure>> Vault::erase(PublicToken token, Caller caller) {
  parts_.metrics.count_request();
  const Answer<CardStore::Found> found = co_await find(token, caller);
  if (!found) co_return refuse(found.error());
  if (found->card) co_return co_await erase_or_hold(*found->card, token, caller);
  const Outcome outcome = found->tombstone ? Outcome::success : Outcome::failed;
  const Answer<void> noted = co_await note(EventType::token_delete, outcome, token, caller);
  if (!noted) co_return refuse(noted.error());
  if (!found->tombstone) co_return refuse(kNoSuchToken);
  co_return Erasure{};
}

async::Task<Answer<Erasure>> Vault::erase_or_hold(const CardRow& row, const PublicToken& token,
                                                  const Caller& caller) {
  const auto held = co_await parts_.held_deletes.find(row.token_id);
  if (!held) co_return refuse(problem_of_database(held.error()));
  if (*held) {
    const Answer<void> noted =
        co_await note(EventType::delete_hold, Outcome::success, token, caller);
    if (!noted) co_return refuse(noted.error());
    co_return Erasure{.held_at_us = (*held)->held_at_us};
  }
  // Erasing needs no key: while the HSM is away the merchant's budget alone says how much.
  const Answer<BlindIndex> key = co_await blind_index(caller.subject);
  const std::optional<BlindIndex> holder = key ? std::optional(*key) : std::nullopt;
  const Result<bool> spent =
      co_await parts_.held_deletes.spend(row.merchant_index, holder, parts_.clock.now_us());
  if (!spent) co_return refuse(problem_of_database(spent.error()));
  if (!*spent && !key) co_return refuse(key.error());
  if (!*spent) co_return co_await hold(row, *key, token, caller);
  const Answer<bool> erased = co_await erase_row(row, token, caller);
  if (!erased) co_return refuse(erased.error());
  co_return Erasure{};  // also where somebody was faster
}

// The delete waits for an operator; the card stays as it is.
async::Task<Answer<Erasure>> Vault::hold(const CardRow& row, const BlindIndex& key,
                                         const PublicToken& token, const Caller& caller) {
  const Answer<CardSealer> sealer = co_await open_sealer(row, caller.merchant);
  if (!sealer) co_return refuse(sealer.error());
  Result<crypto::Sealed> subject = sealer->seal_subject(parts_.random, caller.subject);
  if (!subject) co_return refuse(problem_of_hsm(subject.error()));
  audit::Entry intent = entry(EventType::delete_hold, token, caller);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.phase = Phase::intent;
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const std::int64_t now_us = parts_.clock.now_us();
  HeldDelete held{row.token_id, row.merchant_index, key, *std::move(subject),
                  now_us,       intent.operation_id};
  const Result<bool> stands = co_await parts_.held_deletes.hold(std::move(held));
  if (!stands) {
    conclude_failed(intent, stands.error());
    co_return refuse(problem_of_database(stands.error()));
  }
  conclude(intent, *stands ? Outcome::done : Outcome::not_done);
  if (!*stands) co_return refuse(kOverloaded);  // held or erased this moment: ask again
  held_.warn();
  co_return Erasure{.held_at_us = now_us};
}

async::Task<Answer<bool>> Vault::erase_row(const CardRow& row, const PublicToken& token,
                                           const Caller& caller) {
  audit::Entry intent = entry(EventType::token_delete, token, caller);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.phase = Phase::intent;
  const Answer<std::vector<Removal>> removals = co_await removals_of(row, caller.merchant);
  if (!removals) co_return refuse(removals.error());
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  parts_.codes.drop(row.token_id, std::chrono::steady_clock::now());
  const Result<bool> erased = co_await parts_.cards.erase(row.token_id, parts_.clock.now_us(),
                                                          intent.operation_id, *removals);
  if (!erased) {
    conclude_failed(intent, erased.error());
    co_return refuse(problem_of_database(erased.error()));
  }
  // One that came while the row was going, or that comes from a request that found the row.
  parts_.codes.drop(row.token_id, std::chrono::steady_clock::now());
  conclude(intent, *erased ? Outcome::done : Outcome::not_done);  // not_done: somebody was faster
  co_return *erased;
}

async::Task<std::vector<Vault::Fate>> Vault::erase_all(std::vector<Doomed> cards, Ending ending,
                                                       std::string operation) {
  Batch batch{.ending = ending, .operation = std::move(operation)};
  std::vector<TokenId> ids;
  ids.reserve(cards.size());
  batch.cards.reserve(cards.size());
  for (Doomed& one : cards) {
    ids.push_back(one.card.token_id);
    batch.cards.push_back({.doomed = std::move(one)});
  }
  auto stored = co_await parts_.processor_tokens.all_of(std::move(ids));
  if (stored) {
    batch.stored = *std::move(stored);
    std::vector<async::Task<void>> lanes;
    lanes.reserve(kErasedAtOnce);
    for (std::size_t i = 0; i < kErasedAtOnce; ++i) lanes.push_back(prepare_some(batch));
    co_await async::when_all(std::move(lanes));
    co_await erase_prepared(batch);
  }
  std::vector<Fate> fates;
  fates.reserve(batch.cards.size());
  for (const BatchCard& one : batch.cards) fates.push_back(one.fate);
  co_return fates;
}

// One after the other, beside others that do the same.
async::Task<void> Vault::prepare_some(Batch& batch) {
  while (batch.next < batch.cards.size() && !stopping_) {
    BatchCard& one = batch.cards[batch.next++];
    auto prepared = co_await prepare(batch, one);
    if (!prepared) continue;
    const Result<void> recorded = co_await parts_.recorder.record(*prepared);
    if (recorded) one.intent = *std::move(prepared);
  }
}

// The intent of erasing it, not recorded yet. What is sealed in the row says whose it is.
async::Task<std::optional<audit::Entry>> Vault::prepare(const Batch& batch, BatchCard& one) {
  const CardRow& row = one.doomed.card;
  const std::string unknown;  // only a card's number and expiry are bound to its merchant
  const Answer<CardSealer> sealer = co_await open_sealer(row, unknown);
  if (!sealer) co_return std::nullopt;
  const Result<PublicToken> token = sealer->open_token(row.sealed.token);
  Result<std::string> merchant = sealer->open_merchant(row.sealed.merchant);
  if (!token || !merchant) co_return std::nullopt;
  if (const auto stored = batch.stored.find(row.token_id); stored != batch.stored.end()) {
    for (const ProcessorTokenRow& at : stored->second) {
      Result<Removal> old = removal(*sealer, at);
      if (!old) co_return std::nullopt;
      one.removals.push_back(*std::move(old));
    }
  }
  Caller in_the_name_of;
  in_the_name_of.subject = one.doomed.by;
  in_the_name_of.merchant = *std::move(merchant);
  in_the_name_of.operation = batch.operation;
  const EventType event =
      batch.ending == Ending::expired ? EventType::token_expire : EventType::token_delete;
  audit::Entry intent = entry(event, *token, in_the_name_of);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.phase = Phase::intent;
  co_return intent;
}

// Those whose intents are durable, in one transaction.
async::Task<void> Vault::erase_prepared(Batch& batch) {
  std::vector<CardStore::Erasing> erasing;
  erasing.reserve(batch.cards.size());
  for (BatchCard& one : batch.cards) {
    if (!one.intent) continue;
    const TokenId id = one.doomed.card.token_id;
    parts_.codes.drop(id, std::chrono::steady_clock::now());
    erasing.push_back({id, one.intent->operation_id, std::move(one.removals)});
  }
  if (erasing.empty()) co_return;
  const Result<std::set<TokenId>> erased =
      co_await parts_.cards.erase_all(std::move(erasing), batch.ending, parts_.clock.now_us());
  for (BatchCard& one : batch.cards) {
    if (!one.intent) continue;
    if (!erased) {
      conclude_failed(*one.intent, erased.error());
      continue;
    }
    const TokenId id = one.doomed.card.token_id;
    parts_.codes.drop(id, std::chrono::steady_clock::now());
    const bool gone = erased->contains(id);
    one.fate = gone ? Fate::erased : Fate::stayed;
    conclude(*one.intent, gone ? Outcome::done : Outcome::not_done);
  }
}

}  // namespace strongroom::cde

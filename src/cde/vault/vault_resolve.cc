// A card's processor token for a payment: the one that is kept, or a new one for which the card is
// handed to its connector. Cards that go away are queued for removal at their processors.
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "cde/card/stored_card_request.h"
#include "cde/vault/vault.h"
#include "cde/vault/vault_answers.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using wire::ProblemType;
using Clockwork = std::chrono::steady_clock;

constexpr wire::Problem kTokenUsedUp{ProblemType::token_used_up,
                                     "the token has been used as often as it may"};
constexpr wire::Problem kNoSuchConnector{ProblemType::invalid_value,
                                         "no connector of this name is configured", "#/account"};
constexpr int kKeepAttemptsMax = 3;

ResolveResult result_of(const Answer<Resolved>& resolved) {
  if (!resolved) {
    const wire::Problem& problem = resolved.error();
    if (problem.type == ProblemType::service_unavailable) return ResolveResult::unknown;
    return problem.status() < 500 ? ResolveResult::refused : ResolveResult::unavailable;
  }
  if (const auto* refusal = std::get_if<StoreRefusal>(&*resolved)) {
    return refusal->unknown ? ResolveResult::unknown : ResolveResult::refused;
  }
  const bool created = std::get<wire::ProcessorTokenAnswer>(*resolved).created;
  return created ? ResolveResult::created : ResolveResult::cached;
}

}  // namespace

// One resolve under way. The idempotency key names the card as its last operation left it: a key
// that the processor has answered with what it forgot since is never used again. The payment binds
// it when a verification code goes along, which may not be sent twice.
struct Vault::Resolving {
  const CardRow& row;
  const PublicToken& token;
  const wire::ProcessorTokenRequest& request;
  const std::string& ticket;
  const Caller& caller;
  AccountKey account;
  audit::Entry entry;
  std::optional<Cvc> code{};
  bool with_code = false;  // it went along
  bool counted = false;    // the use of the token

  [[nodiscard]] std::string idempotency_key() const {
    crypto::Context context("strongroom/stored-card/1");
    context.add(row.token_id.bytes).add(account).add(row.operation.bytes);
    if (with_code) context.add(request.payment);
    return "card_" + base32(crypto::sha256(context.bytes()));
  }
};

async::Task<Answer<Resolved>> Vault::resolve(PublicToken token, wire::ProcessorTokenRequest request,
                                             std::string ticket, Caller caller) {
  parts_.metrics.count_request();
  const Clockwork::time_point began = Clockwork::now();
  Answer<Resolved> resolved = co_await resolve_now(token, request, ticket, caller);
  parts_.metrics.count(result_of(resolved), Clockwork::now() - began);
  co_return resolved;
}

async::Task<Answer<Resolved>> Vault::resolve_now(const PublicToken& token,
                                                 const wire::ProcessorTokenRequest& request,
                                                 const std::string& ticket, const Caller& caller) {
  const auto spent = co_await over_budget(Act::resolve, caller);
  if (spent) co_return refuse(*spent);
  if (!parts_.stored_cards.has(request.head.connector)) co_return refuse(kNoSuchConnector);
  if (!request.stale.empty()) {
    const Answer<void> dropped = co_await drop_stale(token, request, caller);
    if (!dropped) co_return refuse(dropped.error());
  }
  const Answer<PayableCard> payable = co_await find_payable(token, caller);
  if (!payable) co_return refuse(payable.error());
  const CardStore::Found& found = payable->found;
  const auto problem = co_await why_not(found, request.payment);
  if (!problem) co_return refuse(problem.error());

  audit::Entry mine = entry(EventType::processor_token_resolve, token, request, caller);
  if (*problem) {
    mine.outcome = Outcome::failed;
    const Result<void> recorded = co_await parts_.recorder.record(mine);
    if (!recorded) co_return refuse(problem_of_log(recorded.error()));
    co_return refuse(**problem);
  }
  const CardRow& row = *found.card;
  const AccountKey account = account_key(row.token_id, request.head.account_id);
  Resolving work{row, token, request, ticket, caller, account, std::move(mine)};
  const ProcessorTokenRow* const cached = payable->at(account);
  if (cached != nullptr && !parts_.codes.holds(row.token_id, Clockwork::now())) {
    co_return co_await give_cached(work, *cached);
  }
  co_return co_await hand_over(work, cached);
}

async::Task<Answer<PayableCard>> Vault::find_payable(const PublicToken& token,
                                                     const Caller& caller) {
  const Answer<BlindIndex> index = co_await blind_index(caller.merchant);
  if (!index) co_return refuse(index.error());
  Result<PayableCard> card = co_await parts_.payable_cards.find(token.hash(), *index);
  if (!card) co_return refuse(problem_of_database(card.error()));
  co_return *std::move(card);
}

audit::Entry Vault::entry(EventType event, const PublicToken& token,
                          const wire::ProcessorTokenRequest& request, const Caller& caller) {
  audit::Entry with_account = entry(event, token, caller);
  with_account.resources.push_back(request.head.account_id);
  with_account.resources.push_back(request.payment);
  with_account.connector_id = request.head.connector;
  return with_account;
}

// Drops the card's processor token if it is the one that its processor does not know. It is removed
// there all the same: where a new credential is of another account, the card is still at the old.
async::Task<Answer<void>> Vault::drop_stale(const PublicToken& token,
                                            const wire::ProcessorTokenRequest& request,
                                            const Caller& caller) {
  const Answer<PayableCard> payable = co_await find_payable(token, caller);
  if (!payable) co_return refuse(payable.error());
  if (!payable->found.card) co_return Answer<void>{};
  const CardRow& row = *payable->found.card;
  const auto* const stored = payable->at(account_key(row.token_id, request.head.account_id));
  if (stored == nullptr) co_return Answer<void>{};
  const Answer<CardSealer> sealer = co_await open_sealer(row, caller.merchant);
  if (!sealer) co_return refuse(sealer.error());
  const Result<Removal> old = removal(*sealer, *stored);
  if (!old) co_return refuse(problem_of_hsm(old.error()));
  if (old->what.processor_token != request.stale) co_return Answer<void>{};

  audit::Entry intent = entry(EventType::processor_token_delete, token, request, caller);
  intent.phase = Phase::intent;
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const Result<bool> taken =
      co_await parts_.processor_tokens.take(row.token_id, *stored, intent.operation_id, *old);
  if (!taken) {
    conclude_failed(intent, taken.error());
    co_return refuse(problem_of_database(taken.error()));
  }
  conclude(intent, *taken ? Outcome::done : Outcome::not_done);  // not: another has dropped it
  if (*taken) parts_.metrics.count_stale();
  co_return Answer<void>{};
}

// Nothing, or what forbids the payment.
async::Task<Answer<std::optional<wire::Problem>>> Vault::why_not(const CardStore::Found& found,
                                                                 const std::string& payment) {
  if (found.tombstone) co_return problem_of(*found.tombstone);
  if (!found.card) co_return kNoSuchToken;
  const CardRow& row = *found.card;
  if (has_expired(row, parts_.clock.now_us())) co_return kTokenExpired;
  if (!row.usage_limit || row.usage_count < *row.usage_limit) co_return std::nullopt;
  const PaymentKey key = payment_key(row.token_id, payment);
  const Result<bool> used = co_await parts_.processor_tokens.has_used(row.token_id, key);
  if (!used) co_return refuse(problem_of_database(used.error()));
  if (*used) co_return std::nullopt;
  co_return kTokenUsedUp;
}

// Where a limit decides, the use is durable before the processor token leaves, once per payment.
async::Task<Answer<void>> Vault::count_use(Resolving& work) {
  const TokenId id = work.row.token_id;
  if (std::exchange(work.counted, true)) co_return Answer<void>{};
  if (!work.row.usage_limit) {
    const bool again = !work.request.stale.empty();  // the payment has asked before
    if (!again) parts_.uses.add(id);
    co_return Answer<void>{};
  }
  const Result<bool> counted = co_await parts_.processor_tokens.count_use(
      id, payment_key(id, work.request.payment), parts_.clock.now_us());
  if (!counted) co_return refuse(problem_of_database(counted.error()));
  if (!*counted) co_return refuse(kTokenUsedUp);  // or deleted this moment: the next try tells
  co_return Answer<void>{};
}

async::Task<Answer<Resolved>> Vault::give_cached(Resolving& work, const ProcessorTokenRow& cached) {
  if (work.entry.phase == Phase::intent) {  // concluded already
    work.entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
    work.entry.operation_id = {};
  }
  work.entry.phase = Phase::single;
  work.entry.outcome = Outcome::success;
  const Result<void> recorded = co_await parts_.recorder.record(work.entry);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const Answer<void> counted = co_await count_use(work);
  if (!counted) co_return refuse(counted.error());
  const Answer<CardSealer> sealer = co_await open_sealer(work.row, work.caller.merchant);
  if (!sealer) co_return refuse(sealer.error());
  Result<AtProcessor> what = sealer->open_at_processor(cached);
  if (!what) co_return refuse(problem_of_hsm(what.error()));
  co_return wire::ProcessorTokenAnswer{std::move(what->processor_token), false};
}

async::Task<Answer<Resolved>> Vault::hand_over(Resolving& work, const ProcessorTokenRow* cached) {
  work.entry.phase = Phase::intent;
  work.entry.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  const Result<void> recorded = co_await parts_.recorder.record(work.entry);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const Answer<void> counted = co_await count_use(work);
  if (!counted) {
    conclude(work.entry, Outcome::not_done);
    co_return refuse(counted.error());
  }
  const Answer<CardSealer> sealer = co_await open_sealer(work.row, work.caller.merchant);
  if (!sealer) {
    conclude(work.entry, Outcome::not_done);
    co_return refuse(sealer.error());
  }
  work.code = parts_.codes.take(work.row.token_id, Clockwork::now());
  work.with_code = work.code.has_value();
  if (cached != nullptr && !work.code) {  // another payment took it
    conclude(work.entry, Outcome::not_done);
    co_return co_await give_cached(work, *cached);
  }
  Answer<SecretBytes> body = stored_card_body(work, *sealer);
  if (!body) {
    conclude(work.entry, Outcome::not_done);
    co_return refuse(body.error());
  }
  std::string connector = work.request.head.connector;
  std::string ticket = work.ticket;
  std::string request_id = work.caller.request_id;
  Answer<HandedOver> handed = co_await parts_.stored_cards.store(
      std::move(connector), *std::move(body), std::move(ticket), std::move(request_id));
  if (!handed) {
    // A silence may hide that it has the card.
    const bool unknown = handed.error().type == ProblemType::service_unavailable;
    conclude(work.entry, unknown ? Outcome::unknown : Outcome::not_done);
    co_return refuse(handed.error());
  }
  if (auto* refusal = std::get_if<StoreRefusal>(&*handed)) {
    conclude(work.entry, refusal->unknown ? Outcome::unknown : Outcome::not_done);
    co_return std::move(*refusal);
  }
  std::string& processor_token = std::get<std::string>(*handed);
  AtProcessor what{work.request.account, processor_token};
  std::optional<ProcessorTokenRow> replaced;
  if (cached != nullptr) replaced = *cached;
  const Answer<void> kept =
      co_await keep_processor_token(work, *sealer, std::move(replaced), std::move(what));
  if (!kept) co_return refuse(kept.error());
  co_return wire::ProcessorTokenAnswer{std::move(processor_token), true};
}

// The body that hands the card over; the code in `work` goes into it.
Answer<SecretBytes> Vault::stored_card_body(Resolving& work, const CardSealer& sealer) {
  const Result<Card> card = sealer.open_card(work.row.sealed.card);
  if (!card) return refuse(problem_of_hsm(card.error()));
  const Result<CardDetails> details = sealer.open_details(work.row.sealed.details);
  if (!details) return refuse(problem_of_hsm(details.error()));
  const std::string key = work.idempotency_key();
  Result<SecretBytes> body = stored_card_request_json({.account = work.request.account,
                                                       .idempotency_key = key,
                                                       .pan = card->pan,
                                                       .expiry = card->expiry,
                                                       .cvc = work.code ? &*work.code : nullptr,
                                                       .name = details->name.reveal()});
  work.code.reset();  // it is in `body` now, which goes with the last byte sent
  if (!body) return refuse(problem_of_hsm(body.error()));
  return *std::move(body);
}

// Keeps `what` in the place of the `cached` one, which is to be removed at the processor. Where
// another request was faster, its processor token stands for the same stored card as ours (they
// had the same idempotency key), unless a code went along with ours.
async::Task<Answer<void>> Vault::keep_processor_token(Resolving& work, const CardSealer& sealer,
                                                      std::optional<ProcessorTokenRow> cached,
                                                      AtProcessor what) {
  using Kept = ProcessorTokenStore::Kept;
  const TokenId id = work.row.token_id;
  const ProcessorTokenPlace place{id, work.account, work.with_code};
  const Result<crypto::Sealed> sealed = sealer.seal_at_processor(parts_.random, work.account, what);
  Removal left_over = removal(std::move(what), work.request.head.connector);
  if (!sealed) {
    async::spawn(settle_kept(work.entry, place, std::move(left_over)));
    co_return refuse(problem_of_hsm(sealed.error()));
  }
  const ProcessorTokenRow row{work.account, *sealed, work.entry.operation_id};
  for (int attempt = 0; attempt < kKeepAttemptsMax; ++attempt) {
    ProcessorTokenStore::Keeping keeping{.token = id,
                                         .card_operation = work.row.operation,
                                         .row = row,
                                         .at_us = parts_.clock.now_us()};
    if (cached) {
      Result<Removal> old = removal(sealer, *cached);
      if (!old) break;
      keeping.replaced.emplace(cached->operation, *std::move(old));
    }
    const Result<Kept> kept = co_await parts_.processor_tokens.keep(std::move(keeping));
    if (!kept) {
      async::spawn(settle_kept(work.entry, place, std::move(left_over)));
      co_return refuse(problem_of_database(kept.error()));
    }
    if (*kept == Kept::kept || (*kept == Kept::elsewhere && !work.with_code)) {
      conclude(work.entry, Outcome::done);
      co_return Answer<void>{};
    }
    if (*kept == Kept::changed) break;
    auto other = co_await parts_.processor_tokens.find(id, work.account);
    if (!other) break;
    cached = *std::move(other);
  }
  const Result<void> queued = co_await parts_.processor_tokens.queue(left_over);
  if (queued) {
    conclude(work.entry, Outcome::not_done);
  } else {
    async::spawn(settle_kept(work.entry, place, std::move(left_over)));
  }
  co_return refuse(kOverloaded);  // the same request again finds the card as it is now
}

// Without a code, a later one in the account's place is the same card at the processor.
async::Task<void> Vault::settle_kept(audit::Entry intent, ProcessorTokenPlace place,
                                     Removal left_over) {
  for (;;) {
    co_await parts_.loop.sleep_for(kSettleStep);
    if (stopping_) co_return;
    auto stored = co_await parts_.processor_tokens.find(place.token, place.account);
    if (!stored) continue;
    const Result<void> over = co_await wait_for_late_commits(std::chrono::steady_clock::now());
    if (!over) continue;
    stored = co_await parts_.processor_tokens.find(place.token, place.account);
    if (!stored) continue;
    const OperationId ours = intent.operation_id;
    const bool kept = *stored && ((*stored)->operation == ours ||
                                  (!place.with_code && (*stored)->operation > ours));
    if (!kept) {
      const Result<void> queued = co_await parts_.processor_tokens.queue(left_over);
      const bool there = queued || queued.error().code() == ErrorCode::conflict;
      if (!there) continue;
    }
    conclude(intent, kept ? Outcome::done : Outcome::not_done);
    co_return;
  }
}

Removal Vault::removal(AtProcessor what, std::string connector) {
  return {.id = crypto::new_id<RemovalId>(parts_.random, parts_.clock),
          .connector = std::move(connector),
          .what = std::move(what),
          .queued_at_us = parts_.clock.now_us()};
}

Result<Removal> Vault::removal(const CardSealer& sealer, const ProcessorTokenRow& row) {
  SR_TRY(AtProcessor what, sealer.open_at_processor(row));
  SR_TRY(const wire::SealedHead head, wire::parse_sealed_text(what.account));
  return removal(std::move(what), head.connector);
}

// All that processors have of the card, to be removed with it.
async::Task<Answer<std::vector<Removal>>> Vault::removals_of(const CardRow& row,
                                                             const std::string& merchant) {
  const auto stored = co_await parts_.processor_tokens.all_of(row.token_id);
  if (!stored) co_return refuse(problem_of_database(stored.error()));
  std::vector<Removal> removals;
  if (stored->empty()) co_return removals;
  const Answer<CardSealer> sealer = co_await open_sealer(row, merchant);
  if (!sealer) co_return refuse(sealer.error());
  for (const ProcessorTokenRow& one : *stored) {
    Result<Removal> old = removal(*sealer, one);
    if (!old) co_return refuse(problem_of_hsm(old.error()));
    removals.push_back(*std::move(old));
  }
  co_return removals;
}

}  // namespace strongroom::cde

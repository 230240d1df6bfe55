// The vault's flows. Each function is one step of design section 3; what can fail between two steps
// is either repeated safely or settled from the database.
#include "cde/vault/vault.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "cde/vault/vault_answers.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;

constexpr int kInsertAttemptsMax = 3;
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::size_t kBlindIndexesMax = 4096;

}  // namespace

audit::Entry Vault::entry(EventType event, const Caller& caller) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.event_type = event;
  entry.time_us = parts_.clock.now_us();
  entry.user = caller.subject;
  entry.source_ip = caller.source;
  entry.operation = caller.operation;
  entry.merchant_id = caller.merchant;
  entry.request_id = caller.request_id;
  return entry;
}

audit::Entry Vault::entry(EventType event, const PublicToken& token, const Caller& caller) {
  audit::Entry with_token = entry(event, caller);
  with_token.resources = {token.text()};
  with_token.gateway_token = token.text();
  return with_token;
}

void Vault::conclude(const audit::Entry& intent, Outcome outcome) {
  parts_.recorder.send(audit::outcome_of(
      intent, outcome, crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us()));
}

void Vault::conclude_failed(const audit::Entry& intent, const Error& error) {
  if (error.code() == ErrorCode::conflict) {
    conclude(intent, Outcome::not_done);
  } else {
    async::spawn(settle(intent));
  }
}

async::Task<Answer<void>> Vault::note(EventType event, Outcome outcome, const PublicToken& token,
                                      const Caller& caller) {
  audit::Entry single = entry(event, token, caller);
  single.phase = Phase::single;
  single.outcome = outcome;
  const Result<void> recorded = co_await parts_.recorder.record(single);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  co_return Answer<void>{};
}

async::Task<Answer<void>> Vault::note_denial(Caller caller) {
  co_return co_await record_denied(entry(EventType::access_denied, caller));
}

async::Task<Answer<void>> Vault::record_denied(audit::Entry single) {
  single.phase = Phase::single;
  single.outcome = Outcome::denied;
  const Result<void> recorded = co_await parts_.recorder.record(single);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  co_return Answer<void>{};
}

async::Task<std::optional<wire::Problem>> Vault::over_budget(Act act, const Caller& caller) {
  const auto spent =
      parts_.budgets.spend(act, caller.merchant, caller.subject, std::chrono::steady_clock::now());
  if (spent) co_return std::nullopt;
  if (spent.error().to_tell > 0) {
    audit::Entry single = entry(EventType::access_denied, caller);
    single.count = spent.error().to_tell;
    const Answer<void> recorded = co_await record_denied(std::move(single));
    if (!recorded) co_return recorded.error();
  }
  co_return wire::Problem{wire::ProblemType::rate_limited,
                          "more than this merchant or key may",
                          {},
                          static_cast<unsigned>(spent.error().wait.count())};
}

// Says nothing of the card, be it there or not, and logs what was tried.
async::Task<wire::Problem> Vault::refuse_guess(const NewCard& card, const audit::Entry& intent,
                                               std::int64_t until_us, const Caller& caller) {
  audit::Entry single = entry(EventType::access_denied, caller);
  single.bin = intent.bin;
  single.last4 = intent.last4;
  const Answer<void> recorded = co_await record_denied(std::move(single));
  if (!recorded) co_return recorded.error();
  const std::int64_t wait_us = std::max<std::int64_t>(until_us - card.row.created_at_us, 1);
  co_return wire::Problem{wire::ProblemType::rate_limited,
                          "too many new cards with these first and last digits", "#/card/number",
                          static_cast<unsigned>((wait_us + kSecondUs - 1) / kSecondUs)};
}

async::Task<Answer<BlindIndex>> Vault::blind_index(const std::string& id) {
  if (const auto known = blind_indexes_.find(id); known != blind_indexes_.end()) {
    co_return known->second;
  }
  const Result<BlindIndex> index = co_await parts_.keys.blind_index(id);
  if (!index) co_return refuse(problem_of_hsm(index.error()));
  if (blind_indexes_.size() >= kBlindIndexesMax) blind_indexes_.clear();
  blind_indexes_.emplace(id, *index);
  co_return *index;
}

// A row for the card under a fresh DEK and a fresh token; nothing is stored yet.
async::Task<Answer<Vault::NewCard>> Vault::seal_new(const TokenRequest& request,
                                                    const CardDetails& details, const Card& card,
                                                    const std::string& merchant,
                                                    OperationId operation) {
  const Answer<BlindIndex> index = co_await blind_index(merchant);
  if (!index) co_return refuse(index.error());
  const Result<Likeness> likeness = co_await likenesses_.of(merchant, card.pan);
  if (!likeness) co_return refuse(problem_of_hsm(likeness.error()));
  const TokenId id = crypto::new_token_id(parts_.random, parts_.clock);
  const PublicToken token = PublicToken::generate(parts_.random);
  Result<SecretBytes> dek = crypto::random_secret(parts_.random, crypto::Aead::kKeySize);
  if (!dek) co_return refuse(problem_of_hsm(dek.error()));
  const std::span<const std::byte> digits = as_bytes(card.pan.reveal(PanReveal::grant()));
  Result<ProtectedCard> protected_card = co_await parts_.keys.protect(merchant, digits, *dek, id);
  if (!protected_card) co_return refuse(problem_of_hsm(protected_card.error()));
  const Result<CardSealer> sealer = CardSealer::create(*std::move(dek), id, merchant);
  if (!sealer) co_return refuse(problem_of_hsm(sealer.error()));
  Result<SealedCard> sealed = sealer->seal(parts_.random, card, details, token);
  if (!sealed) co_return refuse(problem_of_hsm(sealed.error()));
  const std::int64_t now_us = parts_.clock.now_us();
  const auto end = parts_.retention.end_of(merchant, now_us, request.expires_at_us);
  co_return NewCard{CardRow{.token_id = id,
                            .token_hash = token.hash(),
                            .merchant_index = *index,
                            .merchant_index_version = parts_.keys.blind_index_version(),
                            .fingerprint = protected_card->fingerprint,
                            .fingerprint_version = protected_card->fingerprint_version,
                            .wrapped_dek = std::move(protected_card->wrapped_dek),
                            .sealed = *std::move(sealed),
                            .created_at_us = now_us,
                            .expires_at_us = end,
                            .usage_limit = request.usage_limit,
                            .operation = operation},
                    token, *likeness};
}

void Vault::conclude_undone(const audit::Entry& intent, bool may_be_under_way) {
  if (may_be_under_way) {
    async::spawn(settle(intent));
  } else {
    conclude(intent, Outcome::not_done);
  }
}

// Inserts the card and gives nothing, or the live row that stands in its way; concludes `intent`.
// An attempt whose outcome is unknown may still commit, whatever is learned after it.
async::Task<Answer<std::optional<CardRow>>> Vault::insert(const NewCard& card,
                                                          const audit::Entry& intent,
                                                          const Caller& caller) {
  const CardRow& row = card.row;
  bool may_be_under_way = false;
  wire::Problem problem = kOverloaded;
  for (int attempt = 0; attempt < kInsertAttemptsMax; ++attempt) {
    const Result<bool> inserted = co_await parts_.cards.insert(row, card.likeness);
    if (inserted && *inserted) {
      conclude(intent, Outcome::done);
      co_return std::nullopt;
    }
    if (!inserted && inserted.error().code() != ErrorCode::unknown_outcome) {
      problem = problem_of_database(inserted.error());
      break;
    }
    may_be_under_way |= !inserted;
    Result<CardStore::Standing> standing = co_await parts_.cards.standing(row, card.likeness);
    if (!standing) {
      problem = problem_of_database(standing.error());
      break;
    }
    std::optional<CardRow>& found = standing->found.card;
    if (found && found->token_id == row.token_id) {
      conclude(intent, Outcome::done);
      co_return std::nullopt;
    }
    if (standing->full_until_us) {
      conclude_undone(intent, may_be_under_way);
      co_return refuse(co_await refuse_guess(card, intent, *standing->full_until_us, caller));
    }
    if (!found) continue;  // deleted meanwhile, not committed, or the room was just taken
    if (!has_expired(*found, parts_.clock.now_us())) {
      conclude_undone(intent, may_be_under_way);
      co_return std::move(found);
    }
    const Result<bool> released =
        co_await parts_.cards.release_expired(found->token_id, parts_.clock.now_us());
    if (!released) {
      problem = problem_of_database(released.error());
      break;
    }
  }
  conclude_undone(intent, may_be_under_way);
  co_return refuse(problem);
}

async::Task<Answer<TokenView>> Vault::tokenize(TokenRequest request, Caller caller) {
  parts_.metrics.count_request();
  const auto begun = std::chrono::steady_clock::now();
  Answer<TokenView> view = refuse(kOverloaded);
  if (tokenizing_ < kTokenizingMax) {
    ++tokenizing_;
    view = co_await tokenize_now(std::move(request), std::move(caller), begun);
    --tokenizing_;
  }
  const bool shed = !view && view.error().type == wire::ProblemType::overloaded;
  parts_.metrics.count_card(std::chrono::steady_clock::now() - begun, shed);
  co_return view;
}

async::Task<Answer<TokenView>> Vault::tokenize_now(TokenRequest request, Caller caller,
                                                   CvcHolder::TimePoint begun) {
  const auto spent = co_await over_budget(Act::tokenize, caller);
  if (spent) co_return refuse(*spent);
  const OperationId operation = crypto::new_operation_id(parts_.random, parts_.clock);
  const Card card{std::move(request.pan), request.expiry};
  const CardDetails details{std::move(request.name), std::move(request.metadata)};
  const Answer<NewCard> made =
      co_await seal_new(request, details, card, caller.merchant, operation);
  if (!made) co_return refuse(made.error());
  const bool late = std::chrono::steady_clock::now() - begun > kCardWaitMax;
  if (late) co_return refuse(kOverloaded);  // the HSM's threads are behind

  audit::Entry intent = entry(EventType::token_create, made->token, caller);
  intent.operation_id = operation;
  intent.phase = Phase::intent;
  intent.bin = card.pan.bin();
  intent.last4 = card.pan.last4();
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));

  Answer<std::optional<CardRow>> existing = co_await insert(*made, intent, caller);
  if (!existing) co_return refuse(existing.error());
  if (!*existing) {
    co_await hold_code(std::move(request.cvc), made->row.token_id, made->token, begun, caller);
    co_return view_of(made->row, made->token, card, details, Duplicate::new_card);
  }
  const CardRow& row = **existing;
  Answer<TokenView> view = co_await give_existing(row, card, details, caller);
  if (view) co_await hold_code(std::move(request.cvc), row.token_id, view->token, begun, caller);
  co_return view;
}

async::Task<void> Vault::hold_code(std::optional<Cvc> code, TokenId id, const PublicToken& token,
                                   CvcHolder::TimePoint begun, const Caller& caller) {
  if (!code) co_return;
  const bool elsewhere =
      co_await parts_.code_peers.take(token, *code, caller.ticket, caller.request_id);
  if (elsewhere) {
    // One that came before, while the other was away.
    parts_.codes.drop(id, std::chrono::steady_clock::now());
    co_return;
  }
  const Result<void> held =
      parts_.codes.hold(id, *std::move(code), begun, std::chrono::steady_clock::now());
  if (!held) code_not_held_.warn({{"error", held.error()}});
}

async::Task<Answer<void>> Vault::hold_for_peer(PublicToken token, Cvc cvc, Caller caller) {
  parts_.metrics.count_request();
  const auto begun = std::chrono::steady_clock::now();
  const Answer<CardStore::Found> found = co_await find(token, caller);
  if (!found) co_return refuse(found.error());
  if (found->tombstone) co_return refuse(problem_of(*found->tombstone));
  if (!found->card) co_return refuse(kNoSuchToken);
  if (has_expired(*found->card, parts_.clock.now_us())) co_return refuse(kTokenExpired);
  const Result<void> held = parts_.codes.hold(found->card->token_id, std::move(cvc), begun,
                                              std::chrono::steady_clock::now());
  if (held) co_return Answer<void>{};
  co_return refuse(held.error().code() == ErrorCode::gone ? kTokenDeleted : kOverloaded);
}

}  // namespace strongroom::cde

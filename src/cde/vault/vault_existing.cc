// Cards that are there already: duplicates and look-ups.
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "cde/vault/vault.h"
#include "cde/vault/vault_answers.h"

namespace strongroom::cde {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using wire::ProblemType;

namespace {

constexpr wire::Problem kForeignRow{ProblemType::internal, "the vault could not do this"};

// A name that the request leaves out says nothing about the one that is stored.
bool differs(const Card& stored, const CardDetails& stored_details, const Card& given,
             const CardDetails& given_details) {
  const bool other_name =
      !given_details.name.empty() &&
      !equal_constant_time(given_details.name.reveal(), stored_details.name.reveal());
  return other_name || !(stored.expiry == given.expiry);
}

}  // namespace

async::Task<Answer<CardSealer>> Vault::open_sealer(const CardRow& row,
                                                   const std::string& merchant) {
  Result<SecretBytes> dek = co_await parts_.keys.unwrap(row.wrapped_dek, row.token_id);
  if (!dek) co_return refuse(problem_of_hsm(dek.error()));
  Result<CardSealer> sealer = CardSealer::create(*std::move(dek), row.token_id, merchant);
  if (!sealer) co_return refuse(problem_of_hsm(sealer.error()));
  co_return *std::move(sealer);
}

// The merchant's own token for a card that it sent again; a newer expiry or name is kept.
async::Task<Answer<TokenView>> Vault::give_existing(const CardRow& row, const Card& card,
                                                    const CardDetails& details,
                                                    const Caller& caller) {
  const Answer<CardSealer> sealer = co_await open_sealer(row, caller.merchant);
  if (!sealer) co_return refuse(sealer.error());
  const Result<PublicToken> token = sealer->open_token(row.sealed.token);
  if (!token) co_return refuse(problem_of_hsm(token.error()));
  const Result<Card> stored = sealer->open_card(row.sealed.card);
  if (!stored) co_return refuse(problem_of_hsm(stored.error()));
  // Nothing binds a fingerprint to its row: who can write the database can put one at another card.
  if (!stored->pan.is_same_number(card.pan)) {
    log::error("a fingerprint stands at another card's row; the database was tampered with");
    co_return refuse(kForeignRow);
  }
  Result<CardDetails> stored_details = sealer->open_details(row.sealed.details);
  if (!stored_details) co_return refuse(problem_of_hsm(stored_details.error()));

  const Answer<void> noted =
      co_await note(EventType::token_lookup, Outcome::success, *token, caller);
  if (!noted) co_return refuse(noted.error());
  if (!differs(*stored, *stored_details, card, details)) {
    co_return view_of(row, *token, *stored, *stored_details, Duplicate::same);
  }
  // The first request's metadata stands, as its limits do.
  CardDetails newer{{}, std::move(stored_details->metadata)};
  const SecretBytes& name = details.name.empty() ? stored_details->name : details.name;
  Result<SecretBytes> name_copy = SecretBytes::copy_of(name.reveal());
  if (!name_copy) co_return refuse(kOverloaded);
  newer.name = *std::move(name_copy);
  const Answer<bool> kept = co_await keep_newer(row, *sealer, *token, card, newer, caller);
  if (!kept) co_return refuse(kept.error());
  if (!*kept) co_return refuse(kOverloaded);  // deleted this moment: the same request makes it anew
  co_return view_of(row, *token, card, newer, Duplicate::changed);
}

async::Task<Answer<bool>> Vault::keep_newer(const CardRow& row, const CardSealer& sealer,
                                            const PublicToken& token, const Card& card,
                                            const CardDetails& details, const Caller& caller) {
  const Result<crypto::Sealed> sealed_card = sealer.seal_card(parts_.random, card);
  if (!sealed_card) co_return refuse(problem_of_hsm(sealed_card.error()));
  const Result<std::optional<crypto::Sealed>> sealed_details =
      sealer.seal_details(parts_.random, details);
  if (!sealed_details) co_return refuse(problem_of_hsm(sealed_details.error()));

  audit::Entry intent = entry(EventType::token_update, token, caller);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.phase = Phase::intent;
  // What the processors have is of the old expiry.
  const Answer<std::vector<Removal>> removals = co_await removals_of(row, caller.merchant);
  if (!removals) co_return refuse(removals.error());
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(problem_of_log(recorded.error()));
  const Result<bool> replaced = co_await parts_.cards.replace(
      row.token_id, *sealed_card, *sealed_details, intent.operation_id, *removals);
  if (!replaced) {
    conclude_failed(intent, replaced.error());
    co_return refuse(problem_of_database(replaced.error()));
  }
  conclude(intent, *replaced ? Outcome::done : Outcome::not_done);
  co_return *replaced;
}

// The merchant's row of `token`. A token of somebody else is as absent as one that never was.
async::Task<Answer<CardStore::Found>> Vault::find(const PublicToken& token, const Caller& caller) {
  const Answer<BlindIndex> index = co_await blind_index(caller.merchant);
  if (!index) co_return refuse(index.error());
  Result<CardStore::Found> found = co_await parts_.cards.find_by_token(token.hash(), *index);
  if (!found) co_return refuse(problem_of_database(found.error()));
  co_return *std::move(found);
}

async::Task<Answer<TokenView>> Vault::look_up(PublicToken token, Caller caller) {
  parts_.metrics.count_request();
  const Answer<CardStore::Found> found = co_await find(token, caller);
  if (!found) co_return refuse(found.error());
  std::optional<wire::Problem> problem;
  if (found->tombstone) {
    problem = problem_of(*found->tombstone);
  } else if (!found->card) {
    problem = kNoSuchToken;
  } else if (has_expired(*found->card, parts_.clock.now_us())) {
    problem = kTokenExpired;
  }
  // Logged before the card is opened: a card that cannot be logged is not looked at.
  const Answer<void> noted = co_await note(
      EventType::token_lookup, problem ? Outcome::failed : Outcome::success, token, caller);
  if (!noted) co_return refuse(noted.error());
  if (problem) co_return refuse(*problem);

  const CardRow& row = *found->card;
  const Answer<CardSealer> sealer = co_await open_sealer(row, caller.merchant);
  if (!sealer) co_return refuse(sealer.error());
  const Result<Card> card = sealer->open_card(row.sealed.card);
  if (!card) co_return refuse(problem_of_hsm(card.error()));
  const Result<CardDetails> details = sealer->open_details(row.sealed.details);
  if (!details) co_return refuse(problem_of_hsm(details.error()));
  co_return view_of(row, std::move(token), *card, *details, Duplicate::same);
}

}  // namespace strongroom::cde

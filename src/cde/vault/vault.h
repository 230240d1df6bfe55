// Vault: cards in, tokens out. Every effect is `intent` durable, effect durable, `outcome` sent;
// every read and denial is one durable entry before its answer (design section 3). No audit, no
// act.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/log_recurring.h"
#include "cde/card/token_request.h"
#include "cde/keys/key_keeper.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/answer.h"
#include "cde/vault/budgets.h"
#include "cde/vault/card_sealer.h"
#include "cde/vault/card_store.h"
#include "cde/vault/code_peers.h"
#include "cde/vault/cvc_holder.h"
#include "cde/vault/held_deletes.h"
#include "cde/vault/likeness.h"
#include "cde/vault/payable_cards.h"
#include "cde/vault/processor_token_store.h"
#include "cde/vault/public_token.h"
#include "cde/vault/retention.h"
#include "cde/vault/stored_cards.h"
#include "cde/vault/usage_tally.h"
#include "cde/vault/vault_metrics.h"
#include "crypto/random.h"
#include "wire/problem.h"
#include "wire/processor_token.h"

namespace strongroom::cde {

// Who asks, as the transport and the ticket proved it.
struct Caller {
  std::string subject;    // the ticket's: "key_..."
  std::string merchant;   // the ticket's; never a neighbor's word
  std::string source;     // IP address of the client
  std::string operation;  // "POST /v1/cards"
  std::string request_id;
  std::string ticket{};  // goes along where a neighbor is asked for its sake
};

enum class Duplicate : std::uint8_t {
  new_card,
  same,     // the merchant has the card already: its token
  changed,  // the same, and the newer expiry and name were kept
};

// What a merchant may know of a card.
struct TokenView {
  PublicToken token;
  Brand brand;
  std::string bin;
  std::string last4;
  ExpiryDate expiry;
  std::int64_t created_at_us;
  std::optional<std::int64_t> expires_at_us;
  std::int64_t usage_count;
  std::optional<std::int64_t> usage_limit;
  Duplicate duplicate;
  std::string metadata;  // a JSON object; empty when there is none
};

// A processor token for a payment, or why the processor did not take the card.
using Resolved = std::variant<wire::ProcessorTokenAnswer, StoreRefusal>;

// What became of a delete.
struct Erasure {
  std::optional<std::int64_t> held_at_us{};  // it waits for an operator; else the card is gone
};

// What a Vault works with; all of it outlives the Vault.
struct VaultParts {
  async::Loop& loop;
  CardStore& cards;
  ProcessorTokenStore& processor_tokens;
  PayableCards& payable_cards;
  UsageTally& uses;
  HeldDeletes& held_deletes;
  StoredCards& stored_cards;
  KeyRing& keys;
  KeyKeeper& key_keeper;
  CvcHolder& codes;
  CodePeers& code_peers;
  Budgets& budgets;
  const Retention& retention;
  audit::Recorder& recorder;
  crypto::Random& random;
  const Clock& clock;
  VaultMetrics& metrics;
  // How long what a lost connection or a killed process sent to the database, which answers, may
  // still run.
  std::chrono::milliseconds commit_lag_max{};
};

// Vault belongs to one Loop. Problems of every call: audit_unavailable, database_unavailable,
// hsm_unavailable, overloaded (nothing happened, or the same request again finds what did),
// internal; of those that Budgets counts, rate_limited too, by which nothing happened.
class Vault final {
 public:
  explicit Vault(VaultParts parts) : parts_(parts), likenesses_(parts.keys) {}

  // The token of the card in `request`: a new one, or the merchant's earlier one. Durable on
  // return. Idempotent by the fingerprint. rate_limited: the merchant has added too many cards with
  // the same first and last digits, so that nothing is said of one more. overloaded: also when it
  // waited for kCardWaitMax, or kTokenizingMax are under way. PCI DSS 3.5.1.
  static constexpr std::size_t kTokenizingMax = 256;
  [[nodiscard]] async::Task<Answer<TokenView>> tokenize(TokenRequest request, Caller caller);
  // Holds the code of a card that another vaultd has taken. not_found, token_deleted,
  // token_expired; overloaded: too many are held.
  [[nodiscard]] async::Task<Answer<void>> hold_for_peer(PublicToken token, Cvc cvc, Caller caller);
  // What is known of a token. not_found (also another merchant's), token_deleted, token_expired.
  [[nodiscard]] async::Task<Answer<TokenView>> look_up(PublicToken token, Caller caller);
  // Erases the card, or holds its deletion where the budget of HeldDeletes is spent; doing it again
  // changes nothing. not_found.
  [[nodiscard]] async::Task<Answer<Erasure>> erase(PublicToken token, Caller caller);

  struct Doomed {
    CardRow card;
    std::string by;  // the operator who released its deletion; empty: nobody, its time is over
  };
  enum class Fate : std::uint8_t {
    erased,
    stayed,  // it is gone already, or was changed this moment
    failed,  // what it takes is not there, or the Vault was stopped
  };
  // Erases cards as erase() does, in one transaction: what is sealed in each row says whose it is.
  // `operation` stands in their entries. Gives the fates in their order.
  static constexpr std::size_t kErasedAtOnce = 16;  // intents under way: payments come first
  [[nodiscard]] async::Task<std::vector<Fate>> erase_all(std::vector<Doomed> cards, Ending ending,
                                                         std::string operation);

  // The processor token of a card at an account, for one payment, which counts one use of the
  // token: of one with a limit exactly one, however often it asks. It is the one of the last time,
  // unless a verification code is held: then the card is put at the processor anew, with the code;
  // or unless `request` says that this very one is stale: then it is dropped first. `ticket` goes
  // along. not_found, token_deleted, token_expired, token_used_up, and those of StoredCards::store.
  [[nodiscard]] async::Task<Answer<Resolved>> resolve(PublicToken token,
                                                      wire::ProcessorTokenRequest request,
                                                      std::string ticket, Caller caller);

  // Logs that the caller lacks the right for what it asked. audit_unavailable.
  [[nodiscard]] async::Task<Answer<void>> note_denial(Caller caller);

  // Closes the instance's open intents from the database, as done or not_done: before serving.
  // If one is not in the database, waits until nothing can commit that was sent before.
  // unavailable: it may all the same, or the database or the audit log is away; call it again.
  [[nodiscard]] async::Task<Result<void>> close_open_intents();
  // Ends the settling of outcomes that the database still owes; they stay open for the next start.
  void stop() noexcept { stopping_ = true; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kSettleStep{1};
  struct NewCard {
    CardRow row;
    PublicToken token;
    Likeness likeness;
  };
  // Of a merchant or a subject.
  async::Task<Answer<BlindIndex>> blind_index(const std::string& id);
  async::Task<Answer<NewCard>> seal_new(const TokenRequest& request, const CardDetails& details,
                                        const Card& card, const std::string& merchant,
                                        OperationId operation);
  // Nothing, or that a budget is spent.
  async::Task<std::optional<wire::Problem>> over_budget(Act act, const Caller& caller);
  async::Task<wire::Problem> refuse_guess(const NewCard& card, const audit::Entry& intent,
                                          std::int64_t until_us, const Caller& caller);
  async::Task<Answer<std::optional<CardRow>>> insert(const NewCard& card,
                                                     const audit::Entry& intent,
                                                     const Caller& caller);
  // The row did not go in: says so, or settles it later if an insert may still be under way.
  void conclude_undone(const audit::Entry& intent, bool may_be_under_way);
  async::Task<Answer<TokenView>> give_existing(const CardRow& row, const Card& card,
                                               const CardDetails& details, const Caller& caller);
  async::Task<Answer<bool>> keep_newer(const CardRow& row, const CardSealer& sealer,
                                       const PublicToken& token, const Card& card,
                                       const CardDetails& details, const Caller& caller);
  async::Task<Answer<CardSealer>> open_sealer(const CardRow& row, const std::string& merchant);
  async::Task<Answer<CardStore::Found>> find(const PublicToken& token, const Caller& caller);
  async::Task<Answer<TokenView>> tokenize_now(TokenRequest request, Caller caller,
                                              CvcHolder::TimePoint begun);
  async::Task<Answer<Erasure>> erase_or_hold(const CardRow& row, const PublicToken& token,
                                             const Caller& caller);
  async::Task<Answer<Erasure>> hold(const CardRow& row, const BlindIndex& key,
                                    const PublicToken& token, const Caller& caller);
  async::Task<Answer<bool>> erase_row(const CardRow& row, const PublicToken& token,
                                      const Caller& caller);
  struct Batch;
  struct BatchCard;
  async::Task<void> prepare_some(Batch& batch);
  async::Task<std::optional<audit::Entry>> prepare(const Batch& batch, BatchCard& one);
  async::Task<void> erase_prepared(Batch& batch);
  async::Task<Answer<std::vector<Removal>>> removals_of(const CardRow& row,
                                                        const std::string& merchant);
  struct Resolving;
  struct ProcessorTokenPlace {
    TokenId token;
    AccountKey account;
    bool with_code;  // the processor has the card once more than without
  };
  async::Task<Answer<Resolved>> resolve_now(const PublicToken& token,
                                            const wire::ProcessorTokenRequest& request,
                                            const std::string& ticket, const Caller& caller);
  async::Task<Answer<void>> drop_stale(const PublicToken& token,
                                       const wire::ProcessorTokenRequest& request,
                                       const Caller& caller);
  [[nodiscard]] audit::Entry entry(audit::EventType event, const PublicToken& token,
                                   const wire::ProcessorTokenRequest& request,
                                   const Caller& caller);
  async::Task<Answer<PayableCard>> find_payable(const PublicToken& token, const Caller& caller);
  async::Task<Answer<std::optional<wire::Problem>>> why_not(const CardStore::Found& found,
                                                            const std::string& payment);
  async::Task<Answer<Resolved>> give_cached(Resolving& work, const ProcessorTokenRow& cached);
  async::Task<Answer<Resolved>> hand_over(Resolving& work, const ProcessorTokenRow* cached);
  Answer<SecretBytes> stored_card_body(Resolving& work, const CardSealer& sealer);
  async::Task<Answer<void>> keep_processor_token(Resolving& work, const CardSealer& sealer,
                                                 std::optional<ProcessorTokenRow> cached,
                                                 AtProcessor what);
  // The database did not take what is at the processor now: it is kept there if it was taken all
  // the same, else queued for removal.
  async::Task<void> settle_kept(audit::Entry intent, ProcessorTokenPlace place, Removal left_over);
  async::Task<Answer<void>> count_use(Resolving& work);
  Result<Removal> removal(const CardSealer& sealer, const ProcessorTokenRow& row);
  Removal removal(AtProcessor what, std::string connector);
  async::Task<Answer<void>> record_denied(audit::Entry single);
  async::Task<Answer<void>> note(audit::EventType event, audit::Outcome outcome,
                                 const PublicToken& token, const Caller& caller);
  async::Task<Result<audit::Outcome>> outcome_in_database(const audit::Entry& intent);
  async::Task<Result<audit::Outcome>> outcome_of_hold(const audit::Entry& intent,
                                                      const CardStore::Found& found);
  async::Task<void> settle(audit::Entry intent);
  // outcome_in_database() when it cannot change any more; unavailable: it may.
  async::Task<Result<audit::Outcome>> final_outcome(const audit::Entry& intent);
  async::Task<Result<void>> wait_for_late_commits(SteadyTime answered);
  [[nodiscard]] audit::Entry entry(audit::EventType event, const Caller& caller);
  [[nodiscard]] audit::Entry entry(audit::EventType event, const PublicToken& token,
                                   const Caller& caller);
  void conclude(const audit::Entry& intent, audit::Outcome outcome);
  // A change of a row failed: says so, or settles it later where it may still have come about.
  void conclude_failed(const audit::Entry& intent, const Error& error);
  async::Task<void> hold_code(std::optional<Cvc> code, TokenId id, const PublicToken& token,
                              CvcHolder::TimePoint begun, const Caller& caller);

  VaultParts parts_;
  Likenesses likenesses_;
  std::map<std::string, BlindIndex, std::less<>> blind_indexes_;
  std::size_t tokenizing_ = 0;
  bool stopping_ = false;
  log::Recurring code_not_held_{"verification code not held"};
  log::Recurring held_{"a delete above its budget waits for an operator"};
};

}  // namespace strongroom::cde

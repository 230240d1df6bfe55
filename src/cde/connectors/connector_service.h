// ConnectorService: what connectord puts around a Connector. It opens the sealed blobs, believes no
// merchant but the ticket's, writes the intent before and the outcome after each effect (design
// section 3), and tells "nothing was sent" (a problem) from every outcome.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/config.h"
#include "cde/card/stored_card_request.h"
#include "cde/connectors/connector.h"
#include "cde/connectors/connector_metrics.h"
#include "cde/connectors/sealer.h"
#include "crypto/random.h"
#include "payments/pay_message.h"
#include "wire/problem.h"

namespace strongroom::cde {

// Who asks, as the transport and the ticket proved it.
struct Principal {
  std::string subject;    // the ticket's: "key_..."; at the admin socket "uid:0"
  std::string merchant;   // the ticket's; empty where there is none
  std::string source;     // IP address of the client; empty: this host
  std::string operation;  // "POST /v1/sales"
  std::string request_id;
  std::int64_t ticket_issued_at_s = 0;
  bool ticket_has_ended = false;  // then it serves to settle, nothing else
};

template <class T>
using Reply = std::expected<T, wire::Problem>;

// What became of storing a card: `processor_token` when it was approved, else why not.
struct StoredCardReply {
  std::string processor_token;  // sealed, as text
  payments::PayAnswer refusal;  // without a reference
};

// An account as connectord gives it away.
struct SealedAccount {
  std::string account_id;
  std::string merchant;
  std::string account;  // sealed, as text
};

// Belongs to one Loop; its parts outlive it. Problems of every call: invalid_value (what was sent
// is not a blob), not_allowed (it is not ours, or another merchant's; the denial is logged),
// audit_unavailable, service_unavailable, overloaded. With all of them nothing was sent to the
// processor.
class ConnectorService final {
 public:
  struct Parts {
    Connector& connector;
    const Sealer& sealer;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    ConnectorMetrics& metrics;
    Profile profile;
  };
  explicit ConnectorService(Parts parts) : parts_(parts) {}

  // The store role.
  [[nodiscard]] async::Task<Reply<StoredCardReply>> store(StoredCardRequest request,
                                                          Principal principal);
  // Removes a stored card, also one that is gone. The merchant is the one in both blobs, which must
  // agree. outcome_unknown: try again.
  [[nodiscard]] async::Task<Reply<void>> remove(std::string account, std::string processor_token,
                                                Principal principal);

  // The pay role. `operation` is authorize or sale. conflict: a settling repeat that comes after
  // the processor's window, in which it could charge again: look it up.
  [[nodiscard]] async::Task<Reply<payments::PayAnswer>> charge(
      payments::Operation operation, payments::AuthorizationRequest request, Principal principal);
  // `operation` is capture, void_ or refund. conflict as above.
  [[nodiscard]] async::Task<Reply<payments::PayAnswer>> change(payments::Operation operation,
                                                               std::string processor_reference,
                                                               payments::TransactionRequest request,
                                                               Principal principal);
  [[nodiscard]] async::Task<Reply<payments::LookUpAnswer>> look_up(payments::LookUpRequest request,
                                                                   Principal principal);

  // Seals a merchant's credential, which nobody sees again. `account_id` names an account whose
  // credential is replaced; empty: a new one. Problems: invalid_value.
  [[nodiscard]] async::Task<Reply<SealedAccount>> enter_account(std::string merchant,
                                                                std::string account_id,
                                                                SecretBytes credential,
                                                                Principal principal);

  // The problem of a denial, which is logged first: not_allowed, or audit_unavailable.
  [[nodiscard]] async::Task<wire::Problem> deny(Principal principal);

  // Closes what an earlier run left open, as unknown: before serving. unavailable.
  [[nodiscard]] async::Task<Result<void>> close_open_intents();

 private:
  using Clockwork = std::chrono::steady_clock;
  async::Task<Reply<Account>> open_account(std::string_view text, const Principal& principal);
  async::Task<Reply<ProcessorToken>> open_token(std::string_view text, const Account& account,
                                                const Principal& principal);
  async::Task<Reply<void>> may_settle(bool settle, const Principal& principal);
  async::Task<Reply<void>> begin(const audit::Entry& intent);
  async::Task<Result<payments::PayAnswer>> ask(payments::Operation operation,
                                               const Account& account, const Charge& charge);
  async::Task<Result<payments::PayAnswer>> ask(payments::Operation operation,
                                               const Account& account, const Change& change);
  Reply<payments::PayAnswer> conclude(const audit::Entry& intent, ProcessorCall call,
                                      Result<payments::PayAnswer> answer,
                                      Clockwork::time_point began);
  void end(audit::Entry intent, audit::Outcome outcome, std::string_view processor_reference = {});
  [[nodiscard]] audit::Entry entry(audit::EventType event, const Principal& principal);
  [[nodiscard]] audit::Entry intent(audit::EventType event, const Principal& principal,
                                    const Account& account, std::string_view reference);

  Parts parts_;
};

}  // namespace strongroom::cde

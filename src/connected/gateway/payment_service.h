// PaymentService: what a merchant asks becomes one operation at a processor, once. In order: the
// key is looked up; the attempt is stored; the connector is asked; the outcome is stored; the
// merchant is answered. Whatever is lost between two of these, the Settler finds it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/clock.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/payment_store.h"
#include "connected/gateway/records.h"
#include "connected/gateway/upstream.h"
#include "crypto/random.h"
#include "wire/problem.h"

namespace strongroom::connected::gateway {

// Body of POST /v1/payments, checked for its form.
struct PaymentRequest {
  std::int64_t amount = 0;
  payments::Currency currency;
  std::string token;
  bool capture = true;
  payments::Initiator initiator = payments::Initiator::customer;
  std::string connector;  // empty: the merchant's oldest account
  std::string account{};  // acc_...; empty: the merchant's oldest at the connector
  std::string reference;
  std::string metadata;  // JSON object of texts
};

// Who asks, and under which key.
struct Call {
  std::string merchant;  // the ticket's
  Origin origin;
  std::string idempotency_key;
  payments::RequestFingerprint fingerprint{};
};

// What a call came to: the payment, and the attempt that the key names.
struct Done {
  PaymentRow payment;
  AttemptRow attempt;
  bool replayed = false;  // the key was used before; nothing was done now
};

inline constexpr wire::Problem kNoSuchPayment{wire::ProblemType::not_found, "no such payment"};
inline constexpr wire::Problem kNoSuchRefund{wire::ProblemType::not_found,
                                             "the payment has no such refund"};

// How long a request may keep its attempt before the Settler takes it for lost. Above all time-outs
// towards the connector.
inline constexpr std::int64_t kPendingUs = 120'000'000;

// Belongs to one Loop. Everything borrowed outlives it. Problems of all: database_unavailable,
// disk_unavailable and what the neighbors answer (nothing was charged; the same request may be sent
// again), outcome_unknown (the database's answer was lost: send it again, under the same key),
// idempotency_mismatch, idempotency_in_progress.
class PaymentService final {
 public:
  struct Parts {
    PaymentStore& store;
    AccountStore& accounts;
    VaultClient& vault;
    ConnectorClient& connectors;
    crypto::Random& random;
    const Clock& clock;
    std::string instance;  // owner of the attempts begun here
  };
  explicit PaymentService(Parts parts) noexcept : parts_(std::move(parts)) {}

  // invalid_value: no such account, or none at this connector; not_found, token_deleted,
  // token_expired, token_used_up: the vault's words on the token.
  [[nodiscard]] async::Task<Answer<Done>> pay(Call call, PaymentRequest request);
  // `operation` is capture, void_ or refund; without an amount, all that is left. not_found,
  // payment_state, invalid_value.
  [[nodiscard]] async::Task<Answer<Done>> change(Call call, std::string payment,
                                                 payments::Operation operation,
                                                 std::optional<std::int64_t> amount);
  // not_found, also for another merchant's.
  [[nodiscard]] async::Task<Answer<PaymentRow>> payment(std::string merchant, std::string id);
  // A refund of that payment, as `attempt`; not_found.
  [[nodiscard]] async::Task<Answer<Done>> refund(std::string merchant, std::string payment,
                                                 std::string id);

 private:
  // What the key was used for before; empty: nothing. A mismatch says whether this is another
  // path, `operation` on `payment`, or only another body.
  async::Task<Answer<std::optional<Done>>> replay(Call call, std::string payment,
                                                  payments::Operation operation);
  async::Task<Answer<Account>> choose_account(std::string merchant, std::string connector,
                                              std::string account);
  // Resolves, stores the attempt, asks the connector. Empty: the processor does not know the
  // processor token and has done nothing; the attempt is taken back, and `what` names the token as
  // stale, which happens once.
  async::Task<Answer<std::optional<Done>>> pay_once(const Call& call, const PaymentRequest& request,
                                                    const Account& account, Resolve& what);
  AttemptRow new_attempt(const Call& call, const std::string& payment,
                         payments::Operation operation, std::int64_t amount);
  // Whether the attempt is stored, or the key was used by another request.
  async::Task<Answer<Begun>> begun(Result<Begun> result, const AttemptRow& attempt);
  async::Task<Answer<Done>> finish(Done done, Answer<payments::PayAnswer> answer);

  Parts parts_;
};

// The payment and attempt after `answer` (not unknown), or with it lost: the attempt is then due
// after `delay_us`.
void apply(Done& done, const payments::PayAnswer& answer, std::int64_t now_us);
void apply_lost(Done& done, const payments::PayAnswer& answer, std::int64_t now_us,
                std::int64_t delay_us);
[[nodiscard]] AttemptState state_of(payments::OperationOutcome outcome) noexcept;

}  // namespace strongroom::connected::gateway

// What the core database holds of payments: a payment, its attempts, a merchant's accounts at
// processors. No card data: a token is a reference, what is sealed only connectord can open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "payments/decline.h"
#include "payments/idempotency.h"
#include "payments/money.h"
#include "payments/operation.h"
#include "payments/pay_message.h"
#include "payments/payment.h"

namespace strongroom::connected::gateway {

// Times are microseconds since the Unix epoch.
struct PaymentRow {
  std::string id;        // pay_...
  std::string merchant;  // mer_...
  payments::Currency currency;
  payments::Payment payment;
  std::string token;  // tok_...
  payments::Initiator initiator = payments::Initiator::customer;
  std::string connector;            // "stripe"
  std::string account_id;           // acc_...
  std::string reference;            // the merchant's own; may be empty
  std::string metadata;             // a JSON object of texts
  std::string first_attempt;        // att_...: the reference by which the processor knows it
  std::string processor_reference;  // pi_...; empty: none was given yet
  std::optional<payments::Decline> decline;  // of the last operation, when it was not approved
  std::string open_attempt;                  // of payment.open; else empty
  std::int64_t version = 1;                  // one more with each operation begun
  std::int64_t created_at_us = 0;
  std::int64_t updated_at_us = 0;
};

// AttemptState: `pending` while the request that began it runs.
enum class AttemptState : std::uint8_t { pending, unknown, approved, declined, failed };

// An attempt is one request that moves money: its operation, and the record of its Idempotency-Key.
// It stays for ever, so a key never moves money twice.
struct AttemptRow {
  std::string id;  // att_..., of a refund re_...: reference and idempotency key at the connector
  std::string merchant;
  std::string idempotency_key;
  payments::RequestFingerprint fingerprint{};
  std::string payment;
  payments::Operation operation = payments::Operation::authorize;
  std::int64_t amount = 0;
  AttemptState state = AttemptState::pending;
  std::string owner;            // the gatewayd instance that runs it
  std::string ticket;           // for settling; gone when concluded
  std::string processor_token;  // sealed, for repeating the first operation; gone when concluded
  std::int64_t tries = 0;       // of settling
  std::int64_t next_at_us = 0;  // when to settle; 0: concluded
  std::int64_t created_at_us = 0;
  // Where the payment stood when this was concluded: what a replay shows.
  payments::Payment after{};
  std::optional<payments::Decline> decline{};
  std::string processor_reference{};
  std::int64_t updated_at_us = 0;

  [[nodiscard]] bool open() const noexcept {
    return state == AttemptState::pending || state == AttemptState::unknown;
  }
};

struct Account {
  std::string id;  // acc_...
  std::string merchant;
  std::string connector;
  std::string sealed;  // base64url; connectord's
  std::int64_t created_at_us = 0;
};

}  // namespace strongroom::connected::gateway

// VaultClient and ConnectorClient: the neighbors that a payment needs, as interfaces, so that what
// gatewayd decides can be tested without them.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "async/task.h"
#include "payments/operation.h"
#include "payments/pay_message.h"
#include "wire/problem.h"

namespace strongroom::connected::gateway {

template <class T>
using Answer = std::expected<T, wire::Problem>;

// On whose behalf a neighbor is asked: what goes along with every request.
struct Origin {
  std::string ticket;  // the compact JWS itself
  std::string request_id;
  std::string source;  // IP address of the client; empty when nobody waits any more
  std::string traceparent{};
};

// What the vault has for a payment: a processor token; where it is empty, the processor's `refusal`
// (declined or failed) to take the card, which is the payment's.
struct Resolved {
  std::string processor_token{};  // sealed
  payments::PayAnswer refusal{};
};

// What the vault is asked for a payment.
struct Resolve {
  std::string token;
  std::string account;  // a sealed blob
  std::string payment;  // asking again for the same one counts no further use
  // A processor token of an earlier answer that the processor does not know: the vault drops it and
  // puts the card there anew. Empty: none.
  std::string stale{};
};

class VaultClient {
 public:
  virtual ~VaultClient() = default;
  // The processor token of a token at an account. Problems: the vault's (not_found, token_deleted,
  // ...), service_unavailable; nothing was charged with any.
  [[nodiscard]] virtual async::Task<Answer<Resolved>> processor_token(Origin origin,
                                                                      Resolve what) = 0;
};

// ConnectorClient speaks to the connectord of each processor. A problem means that nothing reached
// the processor; an answer that was lost, or is none, is the outcome `unknown`.
class ConnectorClient {
 public:
  virtual ~ConnectorClient() = default;
  // True when a connector of this name is configured.
  [[nodiscard]] virtual bool has(std::string_view connector) const = 0;
  // `operation` is authorize or sale.
  [[nodiscard]] virtual async::Task<Answer<payments::PayAnswer>> authorize(
      Origin origin, std::string connector, payments::Operation operation,
      payments::AuthorizationRequest request) = 0;
  // `operation` is capture, void_ or refund of the payment with this processor reference.
  [[nodiscard]] virtual async::Task<Answer<payments::PayAnswer>> change(
      Origin origin, std::string connector, payments::Operation operation,
      std::string processor_reference, payments::TransactionRequest request) = 0;
  [[nodiscard]] virtual async::Task<Answer<payments::LookUpAnswer>> look_up(
      Origin origin, std::string connector, payments::LookUpRequest request) = 0;
};

}  // namespace strongroom::connected::gateway

// Connector: the one interface that a processor's connector implements. connectord puts everything
// else around it: who may call, tickets, sealed blobs, the audit log. docs/connectors.md tells how
// to write one; tests/contract/connector_contract.h is the suite that each must pass.
//
// What every call keeps:
// - An error means that nothing of effect reached the processor: unavailable (not there), exhausted
//   (too much waits already), permission_denied (it is not who it must be), invalid_argument (this
//   processor has no form for what is asked: connectord makes it the outcome `failed`). Whatever
//   may have had its effect is an answer, with its outcome.
// - `approved` is said only of an answer that is whole, well-formed and about this very request.
//   Silence, an answer cut off, too large, garbled or about something else, and every sign that the
//   processor itself does not know, are `unknown`.
// - The same idempotency key never has its effect twice, within idempotency_window(): with `settle`
//   or without, and also while the first request is still on its way. A key is one operation's of
//   one merchant's account, and a payment's or change's key comes with the same reference always;
//   with another amount or card it is never `approved`.
// - Nothing of an answer but decline codes and the processor's ids leaves the connector: no body
//   reaches a log.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/config.h"
#include "base/result.h"
#include "cde/card/card_fields.h"
#include "cde/connectors/sealer.h"
#include "http/tls.h"
#include "payments/pay_message.h"

namespace strongroom::cde {

// StoredCard is what became of putting a card at the processor. `ids` name it there, for as many
// payments as are wanted; empty unless approved. A card that was stored without our knowing
// (unknown) can be used by nobody: the same key may be tried again.
struct StoredCard {
  payments::OperationOutcome outcome = payments::OperationOutcome::unknown;
  std::vector<std::string> ids{};
  std::optional<payments::Decline> decline{};  // with declined always, with failed if told
};

// Charge authorizes an amount, or takes it at once. It borrows; all of it outlives the call.
struct Charge {
  const std::vector<std::string>& card;  // ids of a StoredCard
  payments::Money money;                 // minor > 0
  std::string_view reference;            // payments::is_reference, this charge's alone; a look-up
                                         // must find it
  std::string_view idempotency_key;
  // Who began it: the schemes' rules for stored credentials (customer- or merchant-initiated).
  payments::Initiator initiator = payments::Initiator::customer;
  // A repeat, after the answer was lost: what only says that this repeat was not taken (busy, no
  // permission) says nothing of the first one, and is `unknown`.
  bool settle = false;
};

// Change captures, voids or refunds a transaction. It borrows; all of it outlives the call. One
// capture per authorization: the rest is released. What was taken is not voided, and what is only
// held is not refunded, also where the processor has one word for both.
struct Change {
  std::string_view processor_reference;  // of the charge; payments::is_processor_reference
  std::optional<std::int64_t> amount{};  // minor units; none: all that is left. Never with a void
  payments::Currency currency;
  std::string_view reference;  // of this change; a look-up shows a refund's
  std::string_view idempotency_key;
  bool settle = false;
};

struct LookUp {
  std::string_view reference;              // of the charge
  std::string_view processor_reference{};  // empty: not known, to be searched for
  // The charge was asked for at least this long ago. While the processor's search may lag behind,
  // what it does not find is `unknown`, not absent.
  std::chrono::seconds age{};
};

// A Connector belongs to one Loop. What calls borrow outlives them; any number may be under way.
class Connector {
 public:
  virtual ~Connector() = default;

  // The connector's name in blobs, instances and the audit log: "stripe".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // How long the processor is sure to know an idempotency key; beyond it a repeat could charge
  // again, and connectord lets nobody repeat. Zero: it knows none, and only look-ups settle.
  [[nodiscard]] virtual std::chrono::seconds idempotency_window() const noexcept = 0;
  // invalid_argument: not a credential of this processor; permission_denied: not one for `profile`
  // (demo takes test credentials only, production live ones only).
  [[nodiscard]] virtual Result<void> check_credential(std::span<const std::byte> credential,
                                                      Profile profile) const = 0;

  // Puts the card at the processor, for use more than once. Number and code are gone when the
  // request that carries them is answered.
  [[nodiscard]] virtual async::Task<Result<StoredCard>> store(const Account& account,
                                                              CardFields card,
                                                              std::string_view idempotency_key) = 0;
  // Takes it away again: approved also when it was gone already; anything else is tried again.
  [[nodiscard]] virtual async::Task<Result<payments::OperationOutcome>> remove(
      const Account& account, const std::vector<std::string>& ids) = 0;

  // The answer's reference is the charge's, always with approved. A stored card that the processor
  // does not know: payments::processor_token_unknown().
  [[nodiscard]] virtual async::Task<Result<payments::PayAnswer>> authorize(
      const Account& account, const Charge& charge) = 0;
  [[nodiscard]] virtual async::Task<Result<payments::PayAnswer>> sale(const Account& account,
                                                                      const Charge& charge) = 0;
  // Here, too, the reference is the charge's.
  [[nodiscard]] virtual async::Task<Result<payments::PayAnswer>> capture(const Account& account,
                                                                         const Change& change) = 0;
  [[nodiscard]] virtual async::Task<Result<payments::PayAnswer>> void_(const Account& account,
                                                                       const Change& change) = 0;
  // The answer's reference is the refund's own.
  [[nodiscard]] virtual async::Task<Result<payments::PayAnswer>> refund(const Account& account,
                                                                        const Change& change) = 0;
  // What the processor shows of a charge and its refunds; changes nothing. Absence makes gatewayd
  // settle that nothing happened: a look-up that failed is `unknown`, never absent.
  [[nodiscard]] virtual async::Task<Result<payments::LookUpAnswer>> look_up(const Account& account,
                                                                            const LookUp& what) = 0;

  // Connections made from now on believe `tls` about who the processor is.
  virtual void set_tls(std::shared_ptr<const http::TlsContext> tls) = 0;
  // Closes idle connections and waits for the calls under way; for a stopping process.
  [[nodiscard]] virtual async::Task<void> close() = 0;
};

}  // namespace strongroom::cde

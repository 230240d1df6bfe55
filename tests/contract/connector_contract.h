// What every connector must show, against its processor's stand-in: docs/connectors.md says what it
// proves. A processor joins by a ConnectorUnderTest and one line in connector_contract_test.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "cde/connectors/connector.h"

namespace strongroom::test {

// How long a stand-in holds a slow answer back: longer than the suite's impatient connector waits.
inline constexpr std::chrono::milliseconds kSlowness{1500};

// What the processor, or the network before it, does to one request.
enum class Fault {
  silence,        // no answer
  reset,          // the connection breaks
  unavailable,    // something before the processor fails; a repeat gets through
  garbage,        // status 200, and a body that is no answer of this processor's
  huge,           // the right answer, and megabytes of what may follow it (blanks, say)
  slow,           // the right answer, after kSlowness: the connector has given up
  other_payment,  // the right answer to somebody else: another id and, where answers have one,
                  // another reference, and alike otherwise
};
inline constexpr Fault kFaults[] = {Fault::silence,      Fault::reset, Fault::unavailable,
                                    Fault::garbage,      Fault::huge,  Fault::slow,
                                    Fault::other_payment};
[[nodiscard]] std::string_view name(Fault fault) noexcept;
// These answer after the effect, by their nature.
[[nodiscard]] bool needs_effect(Fault fault) noexcept;

// The request that a fault is for: the one that has the effect, not one that looks before it. Store
// and remove may take several; where one does it all, it is the first and the last. look_up: what
// a look-up begins with.
enum class Request {
  charge,
  capture,
  void_,
  refund,
  first_of_store,
  last_of_store,
  first_of_remove,
  last_of_remove,
  look_up
};

// What really happened at the processor under one reference, summed over its charges, in minor
// units of ISO 4217. The stand-in counts by itself: with the connector's own conversion a wrong one
// would look right.
struct Truth {
  std::int64_t charges = 0;     // that were not declined: more than one is a double charge
  std::int64_t authorized = 0;  // what was asked for; also when captured or voided since
  std::int64_t captured = 0;
  std::int64_t refunded = 0;
  bool voided = false;
};

// A connector, and its processor's stand-in beside it: a process of its own, or threads of this one
// (http/testing/server_thread.h, with http::Delivery for answers that do not come). All calls come
// from one thread; a stand-in lives through the whole suite and keeps what it was told.
class ConnectorUnderTest {
 public:
  virtual ~ConnectorUnderTest() = default;
  // A connector that gives up on an answer after `answer_timeout`.
  [[nodiscard]] virtual std::unique_ptr<cde::Connector> connect(
      async::Loop& loop, std::chrono::milliseconds answer_timeout) = 0;
  // A connector to a place where nobody listens.
  [[nodiscard]] virtual std::unique_ptr<cde::Connector> connect_to_nobody(async::Loop& loop) = 0;
  // An account with a credential of the processor's sandbox: one for the demo profile.
  [[nodiscard]] virtual cde::Account account() = 0;
  // An account whose credential has the right form, but the processor refuses it; none when the
  // stand-in takes any.
  [[nodiscard]] virtual std::optional<cde::Account> refused_account() = 0;

  // Card numbers of the processor's sandbox, all cde::Pan::is_in_test_range, and the class
  // of decline that each must get: when it is charged (it can be stored), or already when it is
  // stored.
  struct DeclinedCard {
    std::string_view number;
    payments::DeclineClass decline_class;
  };
  [[nodiscard]] virtual std::string_view good_number() const = 0;
  [[nodiscard]] virtual std::vector<DeclinedCard> declined_when_charged() const = 0;
  [[nodiscard]] virtual std::vector<DeclinedCard> declined_when_stored() const = 0;

  // The next request of this kind meets `fault`, before or after its effect; it alone.
  virtual void fail_next(Request request, Fault fault, bool after_effect) = 0;
  [[nodiscard]] virtual Truth truth(std::string_view reference) = 0;
  // Whether a charge can be found by its reference alone. Without, only what was answered can be
  // settled once idempotency_window() is over.
  [[nodiscard]] virtual bool can_search() const = 0;
};

// Makes one with a stand-in of its own; null, with the reason said aloud, where this machine lacks
// what it takes.
using MakeConnectorUnderTest = std::function<std::unique_ptr<ConnectorUnderTest>()>;

}  // namespace strongroom::test

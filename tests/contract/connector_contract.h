// What every connector must show, against its processor's stand-in: docs/connectors.md says what it
// proves. A processor joins by a ConnectorUnderTest and one line in connector_contract_test.cc.
#pragma once

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

// What the processor, or the network before it, does to one request.
enum class Fault {
  silence,        // no answer
  reset,          // the connection breaks
  unavailable,    // something before the processor fails; a repeat gets through
  garbage,        // an answer that is none
  huge,           // a right answer that does not end
  slow,           // the right answer, after the connector has given up
  other_payment,  // the answer to somebody else
};
inline constexpr Fault kFaults[] = {Fault::silence,      Fault::reset, Fault::unavailable,
                                    Fault::garbage,      Fault::huge,  Fault::slow,
                                    Fault::other_payment};
[[nodiscard]] std::string_view name(Fault fault) noexcept;
// These answer after the effect, by their nature.
[[nodiscard]] bool needs_effect(Fault fault) noexcept;

// The request that a fault is for.
enum class Request { charge, capture, void_, refund, first_of_store, last_of_store };

// What really happened at the processor under one reference, in minor units.
struct Truth {
  std::int64_t charges = 0;  // that were not declined: more than one is a double charge
  std::int64_t authorized = 0;
  std::int64_t captured = 0;
  std::int64_t refunded = 0;
  bool voided = false;
};

// A connector, and its processor's stand-in beside it.
class ConnectorUnderTest {
 public:
  virtual ~ConnectorUnderTest() = default;
  // A connector that gives up on an answer after `answer_timeout`.
  [[nodiscard]] virtual std::unique_ptr<cde::Connector> connect(
      async::Loop& loop, std::chrono::milliseconds answer_timeout) = 0;
  // A connector to a place where nobody listens.
  [[nodiscard]] virtual std::unique_ptr<cde::Connector> connect_to_nobody(async::Loop& loop) = 0;
  [[nodiscard]] virtual cde::Account account() = 0;
  // An account whose credential the processor refuses; none when the stand-in takes any.
  [[nodiscard]] virtual std::optional<cde::Account> refused_account() = 0;

  // Card numbers of the processor's sandbox, and the class of decline that each must get: when it
  // is charged (it can be stored), or already when it is stored.
  struct DeclinedCard {
    std::string_view number;
    payments::DeclineClass decline_class;
  };
  [[nodiscard]] virtual std::string_view good_number() const = 0;
  [[nodiscard]] virtual std::vector<DeclinedCard> declined_when_charged() const = 0;
  [[nodiscard]] virtual std::vector<DeclinedCard> declined_when_stored() const = 0;

  // The next request of this kind meets `fault`, before or after its effect.
  virtual void fail_next(Request request, Fault fault, bool after_effect) = 0;
  [[nodiscard]] virtual Truth truth(std::string_view reference) = 0;
  // Whether a charge can be found by its reference alone.
  [[nodiscard]] virtual bool can_search() const = 0;
};

// Makes one with a stand-in of its own; null, with the reason said aloud, where this machine lacks
// what it takes.
using MakeConnectorUnderTest = std::function<std::unique_ptr<ConnectorUnderTest>()>;

}  // namespace strongroom::test

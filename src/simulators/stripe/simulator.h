// Simulator: Stripe's sandbox as a stand-in for tests and demos: the API's methods over HTTP with
// keys, versions, idempotency and error bodies, and the faults that a test asks for. State is in
// memory, bounded, and gone with the process. It takes card numbers and keeps none; nothing that a
// client sends is ever logged.
//
// An API key is an account: what one key makes no other sees.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/loop.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "http/message.h"
#include "http/router.h"
#include "simulators/control.h"
#include "simulators/stripe/idempotency.h"
#include "simulators/stripe/ledger.h"
#include "simulators/stripe/methods.h"

namespace strongroom::simulators::stripe {

struct Endpoint;

struct SimulatorOptions {
  std::chrono::milliseconds search_delay{0};  // until search finds a change
  LedgerLimits limits{};
  std::size_t idempotency_records_max = 100'000;
};

// Belongs to its Loop; outlives the router that it adds routes to.
class Simulator {
 public:
  // exhausted: no secret memory.
  [[nodiscard]] static Result<std::unique_ptr<Simulator>> create(async::Loop& loop,
                                                                 crypto::Random& random,
                                                                 const Clock& clock,
                                                                 SimulatorOptions options);

  // The API under /v1, and /_sim: Control's routes and GET /_sim/charges, what really happened.
  void add_routes(http::Router& router);
  // Ends the pauses of slow answers, so that the server can drain.
  void stop() noexcept { stopping_ = true; }

 private:
  struct Exchange;
  struct Executed;

  Simulator(async::Loop& loop, const Clock& clock, SimulatorOptions options, Ledger ledger,
            SecretBytes fingerprint_key);

  async::Task<http::Response> serve(const Endpoint& endpoint, http::Request& request);
  async::Task<http::Response> serve_once(Exchange& exchange);
  async::Task<http::Response> execute(Exchange& exchange);
  async::Task<http::Response> deliver(Exchange& exchange, Executed executed);
  async::Task<http::Response> unrecognized();
  async::Task<http::Response> show_charges(http::Request& request);
  async::Task<void> pause(std::chrono::milliseconds duration);

  [[nodiscard]] Executed run(const Exchange& exchange);
  void keep(const Exchange& exchange, const Executed& executed);
  void release(const Exchange& exchange);
  [[nodiscard]] boost::json::object of_another_payment(const Exchange& exchange,
                                                       boost::json::object object);
  [[nodiscard]] RequestFingerprint fingerprint(const http::Request& request) const;

  async::Loop& loop_;
  const SimulatorOptions options_;
  Ledger ledger_;
  SecretBytes fingerprint_key_;
  IdempotencyKeys keys_;
  Control control_;
  bool stopping_ = false;
};

}  // namespace strongroom::simulators::stripe

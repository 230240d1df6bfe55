// Desk: where the API's requests come in: keys, versions, idempotency and error bodies around the
// methods, and the faults on both sides of their effect.
#pragma once

#include <chrono>

#include "async/loop.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/secret.h"
#include "http/message.h"
#include "http/router.h"
#include "simulators/control.h"
#include "simulators/stripe/idempotency.h"
#include "simulators/stripe/ledger.h"
#include "simulators/stripe/simulator.h"

namespace strongroom::simulators::stripe {

struct Endpoint;

// Belongs to its Loop; outlives the router that it adds routes to.
class Desk {
 public:
  // `fingerprint_key` is of the process's own.
  Desk(async::Loop& loop, const Clock& clock, SimulatorOptions options, Ledger ledger,
       SecretBytes fingerprint_key);

  // The API under /v1, and /_sim: Control's routes and GET /_sim/charges, what really happened.
  void add_routes(http::Router& router);
  // Ends the pauses of slow answers.
  void stop() noexcept { stopping_ = true; }

 private:
  struct Exchange;
  struct Executed;

  async::Task<http::Response> serve(const Endpoint& endpoint, http::Request& request);
  async::Task<http::Response> serve_once(Exchange& exchange);
  async::Task<http::Response> execute(Exchange& exchange);
  async::Task<http::Response> deliver(Exchange& exchange, Executed executed);
  async::Task<http::Response> unrecognized();
  async::Task<http::Response> show_charges(http::Request& request);
  async::Task<void> pause(std::chrono::milliseconds duration);

  [[nodiscard]] Executed run(const Exchange& exchange);
  void keep(const Exchange& exchange, const Executed& executed);
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

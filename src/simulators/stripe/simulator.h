// Simulator: Stripe's sandbox as a stand-in for tests and demos: the API's methods over HTTP with
// keys, versions, idempotency and error bodies, and the faults that a test asks for. State is in
// memory, bounded, and gone with the process. It takes card numbers and keeps none; nothing that a
// client sends is ever logged.
//
// An API key is an account: what one key makes no other sees.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "async/loop.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/random.h"
#include "http/router.h"

namespace strongroom::simulators::stripe {

class Desk;

struct SimulatorOptions {
  std::chrono::milliseconds search_delay{0};  // until search finds a change
  std::size_t objects_max = 200'000;          // of each kind; the oldest are forgotten
  std::size_t idempotency_records_max = 100'000;
};

// Belongs to its Loop. `loop`, `random` and `clock` outlive it; it outlives the router that it adds
// routes to.
class Simulator {
 public:
  // exhausted: no secret memory.
  [[nodiscard]] static Result<std::unique_ptr<Simulator>> create(async::Loop& loop,
                                                                 crypto::Random& random,
                                                                 const Clock& clock,
                                                                 SimulatorOptions options);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // The API under /v1, and under /_sim faults, counts and what really happened.
  void add_routes(http::Router& router);
  // Ends the pauses of slow answers, so that the server can drain.
  void stop() noexcept;

 private:
  explicit Simulator(std::unique_ptr<Desk> desk) noexcept;
  std::unique_ptr<Desk> desk_;
};

}  // namespace strongroom::simulators::stripe

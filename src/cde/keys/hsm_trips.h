// HsmTrips: one worker's way to the HSM: inline on a session of its own (a local module answers in
// microseconds), or on the threads of a pool (a network HSM would hold up the Loop).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "base/result.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/token.h"

namespace strongroom::cde {

struct HsmCalls {
  pkcs11::Token* token;
  pkcs11::SessionPool* sessions;
  async::BlockingPool* pool;  // null: inline
};

// Belongs to one Loop. What is borrowed outlives it.
class HsmTrips final {
 public:
  static constexpr std::chrono::seconds kOfLate{60};

  HsmTrips(async::Loop& loop, HsmCalls calls) : loop_(loop), calls_(calls) {
    if (calls_.pool == nullptr) own_.emplace(calls_.sessions->lease());
  }

  // What `work(token, session)`, a Result, gives, with exclusive use of the session. `work`
  // outlives the task. exhausted: too many calls wait.
  template <class Work>
  [[nodiscard]] auto run(Work& work)
      -> async::Task<std::invoke_result_t<Work&, pkcs11::Token&, pkcs11::Session&>> {
    using Answer = std::invoke_result_t<Work&, pkcs11::Token&, pkcs11::Session&>;
    std::optional<Answer> answer;
    if (own_) {
      answer.emplace(work(*calls_.token, **own_));
    } else {
      auto job = [this, &work]() -> Answer {
        pkcs11::Lease lease = calls_.sessions->lease();
        return work(*calls_.token, *lease);
      };
      answer.emplace(co_await calls_.pool->run(loop_, job));
    }
    const bool away = !*answer && answer->error().code() == ErrorCode::unavailable;
    note(away ? std::optional(answer->error()) : std::nullopt);
    co_return *std::move(answer);
  }

  // Asks the HSM whether it is there, which hsm_answers() tells from then on; logs in again where a
  // login was lost.
  [[nodiscard]] async::Task<void> check();
  // Why it did not answer when it was last asked for anything; for /readyz.
  [[nodiscard]] const std::optional<Error>& trouble() const noexcept { return trouble_; }
  [[nodiscard]] bool hsm_answers() const noexcept { return !trouble_; }
  // Whether a call has failed of late, though it may answer others.
  [[nodiscard]] bool failed_of_late() const noexcept {
    return std::chrono::steady_clock::now() < failed_at_ + kOfLate;
  }

 private:
  // Logs a change, a few a second at most.
  void note(std::optional<Error> trouble);

  async::Loop& loop_;
  HsmCalls calls_;
  std::optional<pkcs11::Lease> own_;  // inline: this worker's session, held for good
  std::optional<Error> trouble_;
  std::chrono::steady_clock::time_point failed_at_ = -kOfLate + std::chrono::steady_clock::now();
};

}  // namespace strongroom::cde

// AccountDesk: an operator brings a merchant's account at a processor, sealed by connectord. An act
// of its own: intent, effect and outcome in the audit log (design: Act).
#pragma once

#include <chrono>
#include <string>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/upstream.h"
#include "crypto/random.h"

namespace strongroom::connected::gateway {

// Belongs to one Loop. Everything borrowed outlives it.
class AccountDesk final {
 public:
  struct Parts {
    async::Loop& loop;
    AccountStore& accounts;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    // How long the database may still commit what a killed process had sent it.
    std::chrono::milliseconds commit_lag_max{};
  };
  explicit AccountDesk(Parts parts) noexcept : parts_(parts) {}

  // Adds `account`, or replaces its credentials; `user` is the operator, "uid:0". Durable on
  // return. Problems: conflict (the id is another connector's), audit_unavailable,
  // database_unavailable, disk_unavailable (nothing happened), outcome_unknown (send it again).
  [[nodiscard]] async::Task<Answer<Account>> add(Account account, std::string user,
                                                 std::string request_id);

  // Closes the intents that an earlier run left open, from what the database has. Once at start,
  // before serving. Waits until commit_lag_max after the desk was made if one is not in the
  // database. The errors of recorder and database; unavailable after stop().
  [[nodiscard]] async::Task<Result<void>> recover();
  void stop() noexcept { stopping_ = true; }

 private:
  async::Task<Result<void>> wait_for_late_commits();
  async::Task<Result<bool>> happened(const audit::Entry& intent);
  void close_intent(const audit::Entry& intent, audit::Outcome outcome);

  Parts parts_;
  const std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now();
  bool stopping_ = false;
};

}  // namespace strongroom::connected::gateway

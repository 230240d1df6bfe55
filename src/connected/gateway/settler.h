// Settler: finds out what nobody knows. Every attempt whose answer was lost, or whose process died,
// is asked for again until the processor has told what became of it (payments/retry.h has the
// rules); the merchant sees `unknown` meanwhile, an operator its age.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "async/loop.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/payment_service.h"
#include "connected/gateway/payment_store.h"
#include "connected/gateway/upstream.h"
#include "crypto/random.h"

namespace strongroom::connected::gateway {

// What /metrics tells of it.
struct SettlerMetrics {
  Gauge& unknown;             // attempts whose outcome nobody knows
  Gauge& oldest_age_seconds;  // of them
  Counter& settled;
};

inline constexpr std::int64_t kAlarmAgeUs = 3'600'000'000;  // an unknown outcome this old is logged

// Belongs to one Loop; one worker of a process runs it. Everything borrowed outlives it.
class Settler final {
 public:
  struct Parts {
    async::Loop& loop;
    PaymentStore& store;
    AccountStore& accounts;
    ConnectorClient& connectors;
    crypto::Random& random;
    const Clock& clock;
    SettlerMetrics metrics;
    std::string instance;  // owner of the attempts that are being settled here
  };
  explicit Settler(Parts parts) noexcept : parts_(std::move(parts)) {}

  // Settles what is due, once; gives how many attempts are settled now.
  [[nodiscard]] async::Task<Result<std::size_t>> settle_due();
  // Does that every second, until stop(); ends then.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }

 private:
  struct Round;
  async::Task<void> settle_in(Round& round, AttemptRow attempt);
  async::Task<Result<bool>> settle(AttemptRow attempt);
  // Each gives whether the attempt is settled.
  async::Task<Result<bool>> repeat(Done done, Account account);
  async::Task<Result<bool>> look_up(Done done, Account account, bool absence_counts);
  async::Task<Result<bool>> store(Done before, payments::PayAnswer answer);
  async::Task<Result<bool>> postpone(Done done);
  std::int64_t next_delay_us(const AttemptRow& attempt);
  async::Task<void> watch();

  Parts parts_;
  std::int64_t alarmed_at_us_ = 0;
  bool stopping_ = false;
};

}  // namespace strongroom::connected::gateway

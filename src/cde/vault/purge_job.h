// PurgeJob: erases the cards whose time is over, and says in the log how many they were (PCI
// DSS 3.2.1: what is kept no longer than needed is shown to be gone).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "cde/vault/card_store.h"
#include "cde/vault/vault.h"
#include "crypto/random.h"

namespace strongroom::cde {

// Belongs to one Loop; its parts outlive it. Each card goes as one that is deleted: an intent and
// an outcome in its merchant's log, many cards in one transaction. So a job that is killed goes on
// where it was, and two on one database do no harm. A run that erased something ends with an entry
// in the operator's log: token.expire, how many, and the first and the last time of expiry among
// them.
class PurgeJob final {
 public:
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::chrono::minutes kRest{1};  // after a run that could not erase all
  static constexpr std::int64_t kBatch = 256;      // in one transaction
  // How far the wall clock may part from the steady one. A clock that jumps further makes cards
  // look old that are not, so nothing is erased until it is back, or vaultd is started anew.
  static constexpr std::chrono::minutes kJumpMax{5};

  struct Parts {
    async::Loop& loop;
    CardStore& cards;
    Vault& vault;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    std::chrono::hours after;  // from a card's expiry to its erasure
  };
  explicit PurgeJob(Parts parts)
      : parts_(parts), began_us_(parts.clock.now_us()), began_(std::chrono::steady_clock::now()) {}

  // Runs until stop(), after which it begins no other batch.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at the database, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // Why nothing is erased now; for /readyz.
  [[nodiscard]] bool clock_jumped() const;

  // What a run came to.
  struct Report {
    std::uint64_t erased = 0;
    std::uint64_t failed = 0;   // are tried again in the next run
    std::int64_t first_us = 0;  // times of expiry of what was erased
    std::int64_t last_us = 0;
    bool complete = false;  // nothing that was due is left
  };
  // All that is due now, once.
  [[nodiscard]] async::Task<Report> run_once();

 private:
  async::Task<void> erase_batch(std::vector<CardRow> cards, Report& report);
  async::Task<void> tell(const Report& report);

  Parts parts_;
  const std::int64_t began_us_;
  const std::chrono::steady_clock::time_point began_;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

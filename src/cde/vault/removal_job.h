// RemovalJob: asks each connector to remove what is queued for removal, again and again, until it
// is gone at the processor (design section 3, Erase).
#pragma once

#include <chrono>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "cde/vault/processor_token_store.h"
#include "cde/vault/stored_cards.h"
#include "cde/vault/vault_metrics.h"
#include "crypto/random.h"

namespace strongroom::cde {

// Belongs to one Loop; its parts outlive it. Two of them on one database do no harm: removing twice
// changes nothing.
class RemovalJob final {
 public:
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::chrono::seconds kPauseFirst{5};  // doubled with each try
  static constexpr std::chrono::hours kPauseMax{1};
  // Then a person must see to it: the log gets an entry of its failure, and the queue drops it.
  static constexpr std::chrono::hours kGiveUpAfter{30 * 24};
  static constexpr std::int64_t kBatch = 16;

  struct Parts {
    async::Loop& loop;
    ProcessorTokenStore& store;
    StoredCards& stored_cards;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    VaultMetrics& metrics;
  };
  explicit RemovalJob(Parts parts) : parts_(parts) {}

  // Runs until stop(), after which it begins no other removal.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at the database or at a connector, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

  // What is due now, once; gives how many were removed.
  [[nodiscard]] async::Task<std::size_t> run_once();

 private:
  async::Task<bool> remove(const Removal& removal);
  async::Task<void> postpone_or_give_up(const Removal& removal);

  Parts parts_;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

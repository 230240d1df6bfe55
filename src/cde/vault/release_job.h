// ReleaseJob: carries out the deletes that an operator has released, and counts those that wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "async/loop.h"
#include "async/task.h"
#include "base/clock.h"
#include "cde/vault/held_deletes.h"
#include "cde/vault/vault.h"
#include "cde/vault/vault_metrics.h"

namespace strongroom::cde {

inline constexpr std::string_view kReleaseOperation = "deletes release";

// Belongs to one Loop; its parts outlive it. What is released stands in the database until its card
// is erased, so a job that is killed goes on where it was, and two on one database do no harm.
class ReleaseJob final {
 public:
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::int64_t kBatch = 256;  // in one transaction

  struct Parts {
    async::Loop& loop;
    HeldDeletes& held_deletes;
    Vault& vault;
    const Clock& clock;
    VaultMetrics& metrics;
  };
  explicit ReleaseJob(Parts parts) : parts_(parts) {}

  // Runs until stop(), after which it begins no other batch.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at the database, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // How many waited for an operator a step ago; for /readyz.
  [[nodiscard]] std::int64_t waiting() const noexcept { return waiting_; }

  // All that is released now, once; gives how many were erased.
  [[nodiscard]] async::Task<std::size_t> run_once();

 private:
  Parts parts_;
  std::int64_t waiting_ = 0;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

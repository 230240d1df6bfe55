// ErasureJob: sees to it that what is deleted is gone from every copy of the database, too, within
// a time: by a rotation of `pan-encryption` when a deletion stands under its active version, and by
// the end of every older version under which one does (design section 3, erase; PCI DSS 3.2.1).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/card_store.h"
#include "cde/vault/vault_metrics.h"

namespace strongroom::cde {

// Belongs to one Loop; its parts outlive it. It works where its KeyKeeper leads. A deletion at T
// stands under each version that was active before T and is not destroyed: a copy of the database
// may have the card under any of them. So the first deletion since a version became active says
// when that one is due: `within` later. Half of that time is for the rotation to be waited for, and
// half for the cards to move, a backup to be made and copies of the keys to be destroyed. Nothing
// is remembered: what is killed begins anew with what the registry and the cards say.
class ErasureJob final {
 public:
  static constexpr std::chrono::seconds kStep{10};
  static constexpr std::chrono::hours kTellAgain{6};       // in the log, what is late
  static constexpr std::chrono::minutes kRotateAgain{10};  // each try may leave a key in the HSM

  struct Parts {
    async::Loop& loop;
    CardStore& cards;
    KeyKeeper& key_keeper;
    const Clock& clock;
    VaultMetrics& metrics;
    std::chrono::days within;
  };
  explicit ErasureJob(Parts parts) : parts_(parts) {}

  // Runs until stop(), after which it begins no other step.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at work, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

  // What is to be done now, once. Errors: those of the database, the HSM and the log.
  [[nodiscard]] async::Task<Result<void>> step();

  // A version under which a deletion stands.
  struct Due {
    std::uint32_t version;
    std::int64_t at_us;  // when it is to be destroyed at the latest
  };
  // As of the last step; none where another vaultd leads.
  [[nodiscard]] const std::vector<Due>& due() const noexcept { return due_; }
  // How many of them are late; for /readyz.
  [[nodiscard]] std::size_t late() const noexcept { return late_; }

 private:
  async::Task<Result<std::optional<Due>>> due_of(RegisteredKey key);
  async::Task<Result<void>> rotate_in_time(RegisteredKey active);
  async::Task<Result<void>> end_what_may();
  void tell_late();

  Parts parts_;
  std::vector<Due> due_;
  std::size_t late_ = 0;
  std::optional<std::chrono::steady_clock::time_point> told_late_;
  std::chrono::steady_clock::time_point rotate_after_{};
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

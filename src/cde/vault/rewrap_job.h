// RewrapJob: after a rotation of `pan-encryption`, moves the DEK of every card from the versions
// that are out of use to the active one, until nothing stands under them any more (PCI DSS 3.7.4).
// What is sealed under a DEK is never touched.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/result.h"
#include "cde/keys/key_keeper.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/card_store.h"
#include "cde/vault/vault_metrics.h"
#include "crypto/random.h"

namespace strongroom::cde {

// Belongs to one Loop; its parts outlive it. It works while KeyKeeper::to_empty() gives versions:
// it goes through all cards in passes, page by page, and a pass that has found nothing under them
// is their end. Nothing is remembered but in the rows themselves: one that is killed begins with a
// new pass, which skips what is moved, and two on one database do no harm.
//
// Of its entries `key.rewrap` in the operator's log, an intent comes before the first DEK that is
// moved, and its outcome's count is of those that were; a `single` one with the count 0 says that a
// pass through all cards has found none under the versions, and comes before
// KeyKeeper::note_emptied().
class RewrapJob final {
 public:
  static constexpr std::int64_t kRowsMax = 1024;          // looked at by one statement
  static constexpr std::int64_t kDeksMax = 512;           // moved by one
  static constexpr std::int64_t kDeksMaxBesideWork = 32;  // what a payment may have to wait for
  static constexpr std::size_t kSlice = 8;                // DEKs: less than 0.5 ms of the Loop
  // Of the time, one part is the job's and the others are not: while a request came within kQuiet,
  // or other vaultd work in the database, whose requests are not seen here.
  static constexpr int kParts = 20;
  static constexpr std::chrono::seconds kQuiet{1};
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::chrono::seconds kRest{5};            // after a failure
  static constexpr std::chrono::minutes kRestAfterPass{10};  // where some cards did not open
  static constexpr std::int64_t kCountedAtOnce = 10'000;
  static constexpr std::size_t kToldMax = 16;  // of a pass's cards that do not open

  struct Parts {
    async::Loop& loop;
    CardStore& cards;
    KeyRing& keys;
    KeyKeeper& key_keeper;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
    VaultMetrics& metrics;
  };
  explicit RewrapJob(Parts parts) : parts_(parts) {}

  // Runs until stop(), after which it begins no other page.
  [[nodiscard]] async::Task<void> run();
  void stop();
  // True while run() is at work, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

  // The next page; false: there is nothing to do for now. Errors: those of the database, the HSM
  // and the log, after which the same page comes again.
  [[nodiscard]] async::Task<Result<bool>> step();

  struct Progress {
    std::vector<std::uint32_t> versions;  // that are to be emptied; none: there is nothing to do
    std::uint64_t moved = 0;              // DEKs, since the job began with these versions
    // Cards under them that do not open, as the last pass that came through has found.
    std::uint64_t failed = 0;
    std::uint64_t done = 0;  // cards that the pass under way has gone through, erased ones included
    std::uint64_t total = 0;  // an estimate: to kCountedAtOnce, and new cards come
    double per_second = 0;    // cards gone through, of late
    std::optional<std::chrono::seconds> left{};  // of this pass; none: not known
  };
  [[nodiscard]] Progress progress() const;
  // Progress::failed; for /readyz.
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  // As it was read, and what came of it in the HSM, with pointers into what was read.
  struct Page {
    CardStore::OldDeks read;
    std::vector<CardStore::MovedDek> moved;
    std::vector<const CardStore::OldDek*> failed;
  };
  struct Pass {
    std::vector<std::uint32_t> versions;
    TokenId mark{};
    TokenId last{};              // what came after it came after the versions were out of use
    std::uint64_t rows = 0;      // gone through
    std::uint64_t found = 0;     // under `versions`
    std::uint64_t failed = 0;    // of those, did not open
    bool told = false;           // that it found none
    std::optional<Page> next{};  // the one after `mark`, where it was wrapped ahead
  };
  async::Task<Result<void>> count_more();
  async::Task<Result<void>> begin_pass(std::vector<std::uint32_t> versions);
  async::Task<Result<Page>> wrap_page(TokenId after);
  async::Task<Result<void>> wrap_all(Page& page);
  async::Task<Result<void>> write(Page& page);
  async::Task<void> write_and_wrap_ahead(Page& page, Result<void>& written, Result<Page>& next);
  async::Task<Result<void>> begin_run();
  async::Task<Result<bool>> end_pass();
  async::Task<Result<void>> tell_emptied();
  void end_run(audit::Outcome outcome);
  void note_failed(const std::vector<const CardStore::OldDek*>& failed);
  void note_rate();
  [[nodiscard]] bool beside_work();
  [[nodiscard]] bool in_pass(std::int64_t version) const;
  [[nodiscard]] audit::Entry entry(const std::vector<std::uint32_t>& versions) const;

  Parts parts_;
  std::optional<Pass> pass_;
  std::optional<audit::Entry> intent_;  // whose outcome is owed
  std::uint64_t moved_ = 0;
  std::uint64_t moved_of_intent_ = 0;
  std::uint64_t failed_ = 0;
  std::optional<TokenId> counted_to_ = TokenId{};  // none: to the end
  std::uint64_t total_ = 0;
  std::uint64_t requests_seen_ = 0;
  SteadyTime request_at_{};
  SteadyTime rate_since_{};
  std::uint64_t rate_from_ = 0;
  double per_second_ = 0;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

// Archivist: moves what has been at hand long enough from the journal into archives, and does with
// these what operators ask for. What removes anything, or shows again what was sealed, is in the
// log before it is done.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "auditd/shelf.h"
#include "auditd/writer.h"
#include "base/clock.h"

namespace strongroom::auditd {

inline constexpr std::int64_t kDayMs = 86'400'000;

// PCI DSS 10.5.1: 12 months, of which three are at hand.
struct RetentionSettings {
  std::int64_t at_hand_ms = 92 * kDayMs;  // 0: whatever is in a closed segment is due
  std::int64_t keep_ms = 366 * kDayMs;
  std::int64_t restored_ms = 7 * kDayMs;
};

// What archiving has come to.
struct ArchiveRun {
  std::size_t due = 0;  // segments, once they are found
  std::size_t archived = 0;
  std::optional<Result<std::size_t>> outcome{};  // empty: under way
};

// Belongs to one Loop's thread; one call that changes something at a time, others are conflict.
class Archivist {
 public:
  // Has all that the journal holds signed for and the snapshot of it durable.
  using KeepSnapshot = std::function<async::Task<Result<void>>()>;

  Archivist(async::Loop& loop, Writer& writer, const Clock& clock, Shelf shelf,
            RetentionSettings settings, KeepSnapshot keep_snapshot);

  // Seals the segments that are due and then removes them from the journal; removes copies whose
  // time is over. Gives how many archives were made. `user`: who asked for it now, which closes
  // the last segment too when all of it is due; empty: nobody did. corrupt, unavailable, conflict.
  [[nodiscard]] async::Task<Result<std::size_t>> archive_due(std::string user);
  // The same, beside its caller: run() tells how it goes. conflict.
  [[nodiscard]] Result<void> begin_archiving(std::string user);
  // The last one that was begun.
  [[nodiscard]] const std::optional<ArchiveRun>& run() const noexcept { return run_; }
  // Brings a copy of an archive's segment back, and gives until when it is kept. not_found: there
  // is no such archive; conflict, corrupt, unavailable.
  [[nodiscard]] async::Task<Result<std::int64_t>> restore(std::uint64_t first_sequence,
                                                          std::string user);
  // Locks an archive until then. conflict: it is locked as long already, or longer; not_found,
  // unavailable.
  [[nodiscard]] async::Task<Result<void>> hold(std::uint64_t first_sequence, std::int64_t until_ms,
                                               std::string user);
  // Removes an archive whose lock is over at `now_ms`; else gives until when it is locked and does
  // nothing. not_found, conflict, unavailable.
  [[nodiscard]] async::Task<Result<std::optional<std::int64_t>>> dispose(
      std::uint64_t first_sequence, std::int64_t now_ms, std::string user);

  // What the log says of an archive, and what the file does; no item: the file cannot be read.
  struct Listed {
    std::uint64_t first_sequence = 0;
    audit::ArchiveRecord record;
    std::optional<Shelf::Item> item;
    [[nodiscard]] std::int64_t locked_until_ms() const;
  };
  // Those that were not disposed of, oldest first.
  [[nodiscard]] async::Task<Result<std::vector<Listed>>> list();

  // Nothing new is begun; busy() tells when what is under way has ended.
  void stop() noexcept { stopping_ = true; }
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  using Due = std::pair<audit::SegmentFacts, crypto::Sha256Digest>;  // and its archive's
  class Turn;
  async::Task<void> archive_beside(std::string user);
  // Each tells `run` how far it is.
  async::Task<Result<std::size_t>> work_through(std::string user, ArchiveRun& run);
  // Seals what is not sealed yet; counts what it makes.
  async::Task<Result<std::vector<Due>>> seal_due(ArchiveRun& run);
  async::Task<Result<audit::ArchiveRecord>> record_of(std::uint64_t first_sequence);

  async::Loop& loop_;
  Writer& writer_;
  const Clock& clock_;
  Shelf shelf_;  // the pool's thread
  RetentionSettings settings_;
  KeepSnapshot keep_snapshot_;
  std::optional<ArchiveRun> run_;
  bool busy_ = false;
  bool stopping_ = false;
  async::BlockingPool pool_{1, 8};  // last: its thread uses what stands above
};

}  // namespace strongroom::auditd

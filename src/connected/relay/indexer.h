// Indexer: keeps the search index up with the logs.
#pragma once

#include <chrono>
#include <cstdint>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/files.h"
#include "base/log_recurring.h"
#include "base/metrics.h"
#include "base/result.h"
#include "connected/relay/log_batch.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/search_index.h"

namespace strongroom::connected::relay {

// Belongs to one Loop. Everything borrowed outlives it, and run() ends before it goes.
class Indexer {
 public:
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;
    audit::Files& files;
    std::string directory;  // DIR/audit
    const LogWatch& watch;
    SearchIndex& index;
    Gauge& lag;  // entries that are signed and not in the index
  };
  explicit Indexer(Parts parts) : parts_(std::move(parts)) {}

  // Adds what is new, until stop(), and ends within a batch of it.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // False while the database does not take what is new.
  [[nodiscard]] bool keeps_up() const noexcept { return keeps_up_; }
  // True while a log has an entry that cannot be read.
  [[nodiscard]] bool met_damage() const noexcept { return met_damage_; }
  [[nodiscard]] std::uint64_t lag() const;

 private:
  async::Task<Result<bool>> add_batch();

  Parts parts_;
  // The pool's, while add_batch() waits.
  LogTurns turns_{parts_.files, parts_.directory, AtArchived::pass_over};
  bool loaded_ = false;
  bool keeps_up_ = true;
  bool met_damage_ = false;
  bool stopping_ = false;
  log::Recurring unreadable_{"audit log: an entry cannot be read", 1};
};

}  // namespace strongroom::connected::relay

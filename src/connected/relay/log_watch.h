// LogWatch: how far the logs of DIR/audit have come. One look a second at the record of what auditd
// signed last serves everything in this process that follows the logs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/files.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"

namespace strongroom::connected::relay {

// Entries of each log, by the log's name.
using LogSizes = std::map<std::string, std::uint64_t, std::less<>>;

// What one look finds.
struct AuditFolderState {
  LogSizes signed_sizes;             // how many entries of each log are signed for
  std::int64_t signed_at_us = 0;     // when auditd last signed
  std::uint64_t bytes_free = 0;      // of the file system
  std::uint64_t bytes_capacity = 0;  // of it
};
// not_found, corrupt, unavailable.
[[nodiscard]] Result<AuditFolderState> look_at(audit::Files& files, const std::string& directory);

struct WatchMetrics {
  Gauge& checkpoint_age_seconds;
  Gauge& bytes_free;
};

// Belongs to one Loop. Everything borrowed outlives it, and run() ends before it goes.
class LogWatch {
 public:
  struct Parts {
    async::Loop& loop;
    async::BlockingPool& pool;  // for the files, which may be slow
    audit::Files& files;
    const Clock& clock;
    std::string directory;
    WatchMetrics metrics;
    std::chrono::milliseconds pause{1'000};  // between two looks
  };
  explicit LogWatch(Parts parts) : parts_(std::move(parts)) {}

  // Looks once a second until stop(), and ends within kStep of it.
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }

  // False before the first look and while the folder cannot be read; the state is then the last
  // one that could.
  [[nodiscard]] bool readable() const noexcept { return readable_; }
  [[nodiscard]] const AuditFolderState& state() const noexcept { return state_; }
  // Less than kFreeShareMin of the file system is free.
  [[nodiscard]] bool nearly_full() const noexcept;

  static constexpr double kFreeShareMin = 0.1;
  static constexpr std::chrono::milliseconds kStep{200};

 private:
  void take(Result<AuditFolderState> found);

  Parts parts_;
  AuditFolderState state_;
  bool readable_ = false;
  bool stopping_ = false;
};

}  // namespace strongroom::connected::relay

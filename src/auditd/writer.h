// Writer: the thread that owns the Ledger, so that no Loop waits for a disk. What is submitted
// while one group is being written is the next group: one write and one fdatasync for all of it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "auditd/ledger.h"
#include "auditd/quotas.h"
#include "base/metrics.h"

namespace strongroom::auditd {

// Of one fdatasync; a single append may have more bytes.
inline constexpr std::size_t kGroupEntriesMax = 1024;
inline constexpr std::size_t kGroupBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kWaitingEntriesMax = 16'384;  // of an instance; more: unavailable
// Logs that are taken, or whose checkpoints are recorded, in one go: about half a millisecond.
inline constexpr std::size_t kTakenLogs = 128;
inline constexpr std::size_t kRecordedLogs = 32;
// A disk that takes longer than this for one group hangs.
inline constexpr std::chrono::seconds kHangs{1};

class Writer {
 public:
  // Starts the thread, which first writes log.start. `loop` and `metrics` outlive the writer.
  // `on_state` is called on the loop when accepting() or room() has changed.
  Writer(async::Loop& loop, std::unique_ptr<Ledger> ledger, Registry& metrics,
         std::uint64_t quota_bytes_per_minute, std::move_only_function<void()> on_state);
  ~Writer();  // REQUIRES: end() was called
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Loop's thread. What the arguments refer to must outlive the call.
  [[nodiscard]] async::Task<std::vector<audit::EntryStatus>> append(
      std::string_view instance, std::span<const std::string_view> entries);
  [[nodiscard]] async::Task<std::vector<std::string>> open_intents(std::string_view instance);
  // As Ledger's take_grown() and, right behind it, take_snapshot(). With `record`, its
  // record_checkpoints() before. A few logs at a time, so that no entry waits for more than that; a
  // log that grows meanwhile may be given twice, and is signed for as it then is.
  struct Grown {
    std::vector<GrownLog> logs;
    std::optional<audit::Snapshot> snapshot;
  };
  [[nodiscard]] async::Task<Grown> take_grown(std::size_t unwritten_entries,
                                              std::uint64_t snapshot_bytes_min, bool record);
  // Ledger::lose_snapshot.
  [[nodiscard]] async::Task<void> lose_snapshot();
  // Ledger::refuse, behind everything that was submitted before.
  [[nodiscard]] async::Task<void> refuse();
  // Ledger::open_new_shards.
  [[nodiscard]] async::Task<Result<std::string>> open_new_shards(std::string reason,
                                                                 std::string user);
  // Ledger::record_archive; with `close_segment`, its close_segment() right before.
  [[nodiscard]] async::Task<Result<void>> record_archive(const Ledger::ArchiveNote& note,
                                                         bool close_segment);
  [[nodiscard]] async::Task<audit::ArchiveRecords> archives();
  // Writes the merchants' checkpoints and log.stop behind everything that was submitted before.
  [[nodiscard]] async::Task<void> record_stop();
  // Ledger::record_own.
  [[nodiscard]] async::Task<void> record_own(audit::Entry entry);
  // Ledger::record_intent.
  [[nodiscard]] async::Task<Result<void>> record_intent(audit::Entry intent);
  // As Ledger's begin_failure(), or end_failure() without a cause.
  [[nodiscard]] async::Task<void> record_failure(std::string control, std::string_view cause,
                                                 std::int64_t since_us);
  void set_quota(std::uint64_t bytes_per_minute) {
    quotas_.set_limit({.at_once = bytes_per_minute, .per_minute = bytes_per_minute});
  }
  // What writers have above a quota ("quota of vaultd", "new logs of vaultd"), and whether they had
  // more since `since`; once they had not, no longer.
  struct AboveQuota {
    std::string control;
    std::string_view cause;  // a literal
    bool lasts = false;
  };
  [[nodiscard]] std::vector<AboveQuota> above_quota(Quotas::Time since);
  // Waits until the thread has worked off what waits, and has ended. Nothing is submitted after.
  void end();

  // Any thread.
  [[nodiscard]] bool accepting() const noexcept { return accepting_.load(); }
  [[nodiscard]] Room room() const noexcept { return room_.load(); }
  // Whether entries of `instance` are taken now.
  [[nodiscard]] bool accepts(std::string_view instance) const {
    return accepting() && ledger_->admits(instance, room());
  }
  // How long the group under way has been.
  [[nodiscard]] std::chrono::milliseconds busy_for() const noexcept;
  [[nodiscard]] bool has_grown() const noexcept { return grown_.load(); }

 private:
  // One append, or (without entries) one question to the ledger.
  struct Job {
    std::string_view instance;
    std::vector<Submission> submissions;
    std::move_only_function<void(Ledger&)> question;
    std::coroutine_handle<> waiter;
    std::size_t bytes = 0;
  };
  struct Enqueued;
  struct Metrics {
    explicit Metrics(Registry& registry);
    Counter& entries;
    Counter& repeated;
    Counter& refused;
    Counter& unavailable;
    Counter& above_quota;
    Counter& new_logs_refused;
    Histogram& group_entries;
    Histogram& group_duration;
    Gauge& accepting;
    Gauge& reserve_used;
    Gauge& open_intents;
    Gauge& sequence;
  };

  async::Task<void> record_checkpoints();
  void run();
  std::vector<Job*> next_group();
  [[nodiscard]] bool is_full(std::string_view instance, std::size_t more);
  void write(const std::vector<Job*>& group);
  void count(std::span<const Submission> group, std::chrono::steady_clock::duration took);
  void try_to_recover();
  void publish_state();
  void mark_busy(bool busy) noexcept;

  async::Loop& loop_;
  std::unique_ptr<Ledger> ledger_;  // the thread's
  Metrics metrics_;
  std::move_only_function<void()> on_state_;
  Quotas quotas_;  // of bytes
  std::atomic<bool> accepting_;
  std::atomic<Room> room_{Room::everyone};
  std::atomic<std::int64_t> busy_since_ms_{0};  // 0: waiting for work
  std::atomic<bool> grown_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job*> waiting_;
  std::map<std::string, std::size_t, std::less<>> waiting_entries_;  // by instance
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strongroom::auditd

// Ledger: the journal and all that is derived from it: which uids were seen, which intents are
// open, how large each log is. One thread (the Writer's) owns it; every call may wait for the disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "audit/archive_records.h"
#include "audit/checkpoint.h"
#include "audit/failure_records.h"
#include "audit/journal.h"
#include "audit/logs.h"
#include "audit/protocol.h"
#include "audit/snapshot.h"
#include "audit/tree_files.h"
#include "auditd/grown_log.h"
#include "auditd/quotas.h"
#include "auditd/reserve.h"
#include "auditd/uid_window.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/random.h"
#include "crypto/signer.h"

namespace strongroom::auditd {

inline constexpr std::int64_t kClockSkewMaxMs =
    300'000;  // an entry further in the future is refused
// And one that is older, so that a writer in the wrong hands dates back nothing by more. A week is
// longer than any entry waits in its writer's memory for an auditd that is being repaired. Exempt
// are key.generate and schema.migrate: they were noted by --init and --migrate, and come with the
// next start, whenever that is; refused, they would keep the daemon from starting for ever. A
// writer who makes one up gains little: it names no card and no user, and the checkpoint that it
// stands under shows when it came.
inline constexpr std::int64_t kEntryAgeMaxMs = std::int64_t{7} * 86'400'000;
inline constexpr std::size_t kOpenIntentsMax = 100'000;  // per instance; more are not taken

// Entries whose part of the trees is in memory only; with more the journal takes none.
inline constexpr std::size_t kUnwrittenEntriesMax =
    (std::size_t{64} << 20) / audit::kGrowthBytesPerEntry;

// How much of the journal a start reads at most, by and large: after so many bytes there is another
// snapshot.
inline constexpr std::uint64_t kSnapshotEveryBytes = std::uint64_t{256} << 20;
// A stop leaves less than this to be read.
inline constexpr std::uint64_t kSnapshotAtStopBytes = std::uint64_t{16} << 20;

// Replay is how far the reading of a journal has come on another thread, and the wish that it end.
struct Replay {
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::uint64_t> bytes_total{0};
  std::atomic<bool> stop{false};
};

struct LedgerOptions {
  std::string directory;  // DIR/audit
  std::string instance;   // auditd's own name, as whom it writes log.start and the like
  std::string place;      // "<trust domain>/<instance>", the beginning of every origin
  crypto::Ed25519PublicKey public_key{};       // a snapshot must be signed by
  audit::JournalOptions journal{};             // its directory is set from the one above
  Replay* replay = nullptr;                    // outlives open(); null: nobody watches it
  std::uint64_t reserve_bytes = 0;             // of the disk, for when it is full
  std::vector<std::string> reserve_writers{};  // who may still write then
  QuotaLimit new_logs = kNewLogsQuota;         // that each writer may begin
};

// Months since the year 0 at a time, UTC.
[[nodiscard]] std::int64_t month_of(std::int64_t unix_us);

// One entry on its way into the journal.
struct Submission {
  std::string_view instance;  // who sent it, as the socket's peer proved
  std::string_view entry;
  audit::EntryStatus status = audit::EntryStatus::unavailable;
  bool above_quota = false;  // it would begin a log that its writer may not begin now
};

class Ledger {
 public:
  // Reads the journal, from the snapshot on when there is one that fits, and makes the files of the
  // trees agree with it. What it holds must agree with `last_signed` (the newest checkpoint of each
  // log), else corrupt: entries that were signed for are gone or others. A torn end is cut only
  // after that. `files`, `clock` and `random` outlive the ledger. corrupt; unavailable, also when
  // options.replay wishes it to stop.
  [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(
      audit::Files& files, const Clock& clock, crypto::Random& random, const LedgerOptions& options,
      std::span<const audit::Checkpoint> last_signed);

  // Puts a group into the journal with one write and one fdatasync and sets each status.
  void append(std::span<Submission> group);
  // Writes an entry of auditd's own (log.start, log.stop), of now where it has no time. What the
  // journal does not take now waits for write_waiting().
  void record_own(audit::Entry entry);
  // The same for an intent, without which its effect must not be: only what refuse() keeps out
  // waits. unavailable: it is not durable.
  [[nodiscard]] Result<void> record_intent(audit::Entry intent);
  void record_recovery(const audit::Recovery& recovery);  // log.recovered
  // Writes the entries of auditd's own that wait, if the journal takes entries.
  void write_waiting();

  // Writes a log.checkpoint of each merchant's log that has grown since its last one into the
  // operator's log, and of each of the operator's earlier logs that came to grow again; of
  // `logs_max` logs at most.
  void record_checkpoints(std::size_t logs_max = std::numeric_limits<std::size_t>::max());
  // Of how many logs it has yet to do so.
  [[nodiscard]] std::size_t unrecorded_logs() const noexcept { return unrecorded_.size(); }
  // Writes log.break, for which `user` asked: from it on all entries go to new logs
  // (audit::LogNames). For a store that was lawfully restored, whose old logs may have grown beyond
  // it elsewhere; ends refuse(). Gives the time of the break (audit::break_time). unavailable;
  // conflict: the last break was in this second or, by a clock that was set back, later.
  [[nodiscard]] Result<std::string> open_new_shards(std::string reason, std::string user);

  // What the log says of its archives.
  [[nodiscard]] const audit::ArchiveRecords& archives() const noexcept { return archives_; }
  // Writes a log.archive entry. unavailable: it is not durable.
  struct ArchiveNote {
    audit::ArchiveAct act = audit::ArchiveAct::begin;
    std::optional<std::uint64_t> first_sequence{};  // of the archive
    std::optional<crypto::Sha256Digest> sha256{};
    std::optional<std::int64_t> until_ms{};
    std::string user{};  // who asked for it; empty: auditd by itself
  };
  [[nodiscard]] Result<void> record_archive(const ArchiveNote& note);
  // Has the next group begin a segment of the journal, so that the one before is closed.
  void close_segment() noexcept { closing_segment_ = true; }

  // False after a failed commit, until recover() succeeds, and while the files of the trees stay
  // behind by more than kUnwrittenEntriesMax.
  [[nodiscard]] bool accepting() const noexcept {
    return !refusing_ && !journal_->failed() && !is_behind();
  }
  // Tries to take entries again, with room of the reserve when the disk is full. unavailable: not
  // yet; corrupt: acknowledged entries are gone.
  [[nodiscard]] Result<void> recover();
  // Takes no entries any more, its own included: this is not the store that was signed for.
  void refuse() noexcept { refusing_ = true; }
  [[nodiscard]] bool refusing() const noexcept { return refusing_; }
  // The time of the last break; empty when there was none.
  [[nodiscard]] const std::string& broken_at() const noexcept { return logs_.broken_at(); }
  // The same as refuse() where the last break is in doubt, which then does not bind the next one.
  void refuse_break() noexcept;
  // Whom the disk has room for; the entries of others are unavailable.
  [[nodiscard]] Room room() const noexcept { return reserve_->room(); }
  [[nodiscard]] bool admits(std::string_view instance, Room room) const;
  // Of logs that writers begin. Any thread.
  [[nodiscard]] Quotas& new_logs() noexcept { return new_logs_; }
  // Takes the reserve again when the disk has room for it; then there is room for everyone.
  void refill();

  // Writes that a part of the logging (`control`: "journal") fails since `since_us` and why, and
  // later that it no longer does (PCI DSS 10.7.3). One that is known to fail is not written again.
  void begin_failure(std::string_view control, std::string_view cause, std::int64_t since_us);
  void end_failure(std::string_view control);

  // The intents of `instance` without an outcome, by operation id: oldest first, to a millisecond.
  [[nodiscard]] std::vector<std::string> open_intents(std::string_view instance) const;
  [[nodiscard]] std::size_t open_intent_count() const noexcept;

  // The logs that have grown since they were last given; `logs_max` at most. `unwritten_entries` of
  // what was taken before are not in their files yet.
  [[nodiscard]] std::vector<GrownLog> take_grown(
      std::size_t unwritten_entries,
      std::size_t logs_max = std::numeric_limits<std::size_t>::max());
  [[nodiscard]] bool has_grown() const noexcept { return !grown_.empty(); }
  [[nodiscard]] std::size_t grown_logs() const noexcept { return grown_.size(); }
  // What a start may go on from, once all that take_grown() gave up to now is in its files and
  // signed for; nullopt unless that spares it the reading of `bytes_min`. REQUIRES: nothing has
  // grown since take_grown().
  [[nodiscard]] std::optional<audit::Snapshot> take_snapshot(std::uint64_t bytes_min);
  // The last one that was taken was not kept: the next one spares as much again.
  void lose_snapshot() noexcept {
    bytes_since_snapshot_ += std::exchange(bytes_before_snapshot_, 0);
  }
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return journal_->next_sequence(); }
  // The logs whose size now is not that of `published`, for a start: what a crash left unsigned,
  // also where nothing comes behind it. What they hold but take_grown() has yet to give is not in
  // their files.
  [[nodiscard]] std::vector<GrownLog> unsigned_logs(
      std::span<const audit::Checkpoint> published) const;
  // How many entries each log has, by its name.
  [[nodiscard]] std::map<std::string, std::uint64_t> log_sizes() const;

 private:
  static constexpr std::string_view kReserve = "reserve";  // a control that may fail
  struct Writer {
    UidWindow uids;
    UidSet staged;  // the uids in the group that is being staged
    std::unordered_map<OperationId, std::string, IdHash> open_intents;  // the intent's JSON
  };
  struct Staged {
    Submission* submission;
    audit::EntryView view;
    Writer* writer;
    audit::Log* log;
  };

  Ledger(audit::Files& files, const Clock& clock, crypto::Random& random, LedgerOptions options);
  // Gives a reader behind what the snapshot holds, which is taken over if it fits; else one of the
  // whole journal.
  Result<audit::JournalReader> resume(std::span<const audit::Checkpoint> last_signed);
  [[nodiscard]] Result<audit::Snapshot> fitting_snapshot(
      std::span<const audit::Checkpoint> last_signed);
  void restore(audit::Snapshot snapshot);
  Result<void> replay(std::span<const audit::Checkpoint> last_signed);
  // One that has its journal, and no reserve yet.
  static Result<std::unique_ptr<Ledger>> replayed(audit::Files& files, const Clock& clock,
                                                  crypto::Random& random,
                                                  const LedgerOptions& options,
                                                  std::span<const audit::Checkpoint> last_signed);
  bool tells_truth(const audit::EntryView& view);
  // Whether the entry is of a time that its writer may tell of now.
  [[nodiscard]] bool is_of_now(const audit::EntryView& view) const;
  // Whether `view` may begin the log that it belongs to.
  [[nodiscard]] bool may_begin_log(const audit::EntryView& view);
  void stage(Submission& submission, std::vector<Staged>& staged);
  void commit(std::vector<Staged>& staged);
  // Begins `log`, the next entry's, with a checkpoint of its owner's log before it, if there was
  // one; what is staged is committed first. False when the journal does not take it.
  bool begin_log(audit::Log& log, const audit::EntryView& view, std::vector<Staged>& staged);
  bool write_first(audit::Log& log, audit::Entry& entry);
  // Takes an entry that is in the journal into all that is derived from it.
  void take(const Staged& item, std::string_view json, std::span<const std::byte> leaf_input,
            const audit::FramePlace& place);
  Result<void> repair_trees(audit::TreeFiles& trees);
  Result<void> cut_trees(audit::TreeFiles& trees);
  [[nodiscard]] bool is_behind() const noexcept {
    return grown_entries_ + taken_entries_ > kUnwrittenEntriesMax;
  }
  [[nodiscard]] bool is_unrecorded(const audit::Log& log) const;
  Result<void> check_beginning();
  Result<void> commit_group();
  void take_failure(const audit::EntryView& view);
  void take_start(std::string_view instance);
  void end_outlasted();
  void end_failures_of_before();
  void close_intents_of_before();
  void tell_refusal_of_before();
  void release_reserve();
  void tell_reserve_in_use();
  // Gives `entry` its uid and outcome.
  std::string own_json(audit::Entry& entry);
  // False when the journal did not take it.
  bool write_own(audit::Entry& entry);
  // Whether the journal took them, only what take() derives from them tells.
  void append_own(std::span<const std::string> entries);
  // A log.checkpoint of `log`, or what a log.break says of it.
  [[nodiscard]] audit::Entry entry_about(audit::EventType type, const audit::Log& log) const;
  Writer& writer_of(std::string_view instance);

  audit::Files& files_;
  const Clock& clock_;
  crypto::Random& random_;
  LedgerOptions options_;
  Quotas new_logs_;
  std::unique_ptr<audit::Journal> journal_;
  audit::Logs logs_;
  std::map<std::string_view, const audit::Log*> unrecorded_;  // by name: see record_checkpoints()
  std::map<std::string, Writer, std::less<>> writers_;
  std::vector<audit::Entry> own_waiting_;
  bool tells_refusal_ = false;  // one of own_waiting_ is of a Refusal, whose file is still there
  audit::ArchiveRecords archives_;
  std::int64_t segment_month_ = 0;  // in which the last segment was begun
  bool closing_segment_ = false;
  bool refusing_ = false;
  std::optional<Reserve> reserve_;  // since open()
  bool disk_is_full_ = false;       // as the last failed commit said
  audit::FailureRecords failures_;  // now
  // As the journal tells; those of other writers with `<instance>` and a line feed before the name.
  audit::FailureRecords recorded_failures_;
  // Of other writers that have started since, by name: auditd ends them.
  std::vector<std::pair<std::string, audit::FailureRecord>> outlasted_;
  audit::FramePlace last_frame_;             // of what is taken
  audit::Hash last_leaf_{};                  // the same
  std::uint64_t bytes_since_snapshot_ = 0;   // of the journal
  std::uint64_t bytes_before_snapshot_ = 0;  // of it, since the one before it
  std::vector<audit::Log*> grown_;           // that take_grown() has yet to give
  std::size_t grown_entries_ = 0;            // of them
  std::size_t taken_entries_ = 0;            // by it, perhaps not in the files yet
};

}  // namespace strongroom::auditd

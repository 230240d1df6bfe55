// Ledger: its start from the snapshot and the journal, and the snapshot for the next one.
#include <fmt/core.h>

#include "audit/archive.h"
#include "audit/entry_names.h"
#include "audit/journal_reader.h"
#include "audit/segment.h"
#include "audit/snapshot_signature.h"
#include "auditd/ledger.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr std::size_t kReplayEntriesMax = 65'536;  // between two writes to the trees' files
constexpr Error kOlder{ErrorCode::corrupt, "journal is older than its last signed checkpoint"};

// The checkpoints that the journal has yet to show while it is read.
class Expected {
 public:
  Expected(std::string_view place, std::span<const audit::Checkpoint> last_signed) {
    for (const audit::Checkpoint& checkpoint : last_signed) {
      const auto name = audit::name_of_origin(place, checkpoint.origin);
      foreign_ = foreign_ || !name;
      if (name) pending_.emplace(*name, &checkpoint);
    }
  }
  // Called when the log has grown by one; false when it is not what was signed.
  [[nodiscard]] bool agrees(const audit::Log& log) {
    const auto found = pending_.find(log.name);
    if (found == pending_.end() || found->second->size != log.tree.size()) return true;
    const bool same = found->second->root == log.tree.root();
    pending_.erase(found);
    return same;
  }
  [[nodiscard]] bool all_seen() const { return pending_.empty() && !foreign_; }

 private:
  std::unordered_map<std::string, const audit::Checkpoint*> pending_;
  bool foreign_ = false;
};

}  // namespace

Ledger::Ledger(audit::Files& files, const Clock& clock, crypto::Random& random,
               LedgerOptions options)
    : files_(files),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      new_logs_(options_.new_logs) {
  options_.journal.directory = options_.directory;
}

Result<std::unique_ptr<Ledger>> Ledger::open(audit::Files& files, const Clock& clock,
                                             crypto::Random& random, const LedgerOptions& options,
                                             std::span<const audit::Checkpoint> last_signed) {
  SR_TRY(Reserve reserve, Reserve::open(options.directory, options.reserve_bytes));
  if (!reserve.whole()) {
    log::warn("audit log's disk has no room for its reserve",
              {{"mib", options.reserve_bytes >> 20}});
  }
  auto ledger = replayed(files, clock, random, options, last_signed);
  while (!ledger && disk_is_full(ledger.error().detail()) && reserve.release()) {
    ledger = replayed(files, clock, random, options, last_signed);
  }
  if (!ledger) return ledger;
  (*ledger)->reserve_ = std::move(reserve);
  if (const auto& recovery = (*ledger)->journal_->recovery()) {
    (*ledger)->record_recovery(*recovery);
  }
  (*ledger)->close_intents_of_before();
  (*ledger)->end_failures_of_before();
  (*ledger)->tell_refusal_of_before();
  if ((*ledger)->room() != Room::everyone) (*ledger)->tell_reserve_in_use();
  return ledger;
}

Result<std::unique_ptr<Ledger>> Ledger::replayed(audit::Files& files, const Clock& clock,
                                                 crypto::Random& random,
                                                 const LedgerOptions& options,
                                                 std::span<const audit::Checkpoint> last_signed) {
  std::unique_ptr<Ledger> ledger(new Ledger(files, clock, random, options));
  SR_CHECK_OK(ledger->replay(last_signed));
  return ledger;
}

Result<void> Ledger::replay(std::span<const audit::Checkpoint> last_signed) {
  audit::TreeFiles trees(files_, options_.directory);
  SR_TRY(audit::JournalReader reader, resume(last_signed));
  Expected expected(options_.place, last_signed);
  for (const auto& [name, log] : logs_.all()) SR_CHECK(expected.agrees(log));  // it fits
  Replay unwatched;
  Replay& progress = options_.replay == nullptr ? unwatched : *options_.replay;
  progress.bytes_total = reader.bytes_total();
  while (true) {
    if (progress.stop) return fail({ErrorCode::unavailable, "reading of the journal was stopped"});
    const auto frame = reader.next();
    progress.bytes_read.store(reader.bytes_read(), std::memory_order_relaxed);
    if (!frame && !(frame.error().code() == ErrorCode::corrupt && reader.torn())) {
      return std::unexpected(frame.error());
    }
    if (!frame || !*frame) break;
    const std::string_view json = as_text((*frame)->entry);
    const auto view = audit::read_entry(json);
    if (!view) return fail({ErrorCode::corrupt, "journal holds what is not an audit entry"});
    if (!tells_truth(*view)) {
      return fail({ErrorCode::corrupt, "journal differs from what it tells of its logs"});
    }
    const Staged item{nullptr, *view, &writer_of(view->instance), &logs_.of(*view)};
    take(item, json, (*frame)->leaf_input, reader.frame_place());
    if (!expected.agrees(*item.log)) {
      return fail({ErrorCode::corrupt, "journal differs from its last signed checkpoint"});
    }
    if (grown_entries_ >= kReplayEntriesMax) SR_CHECK_OK(repair_trees(trees));
  }
  if (!expected.all_seen()) {
    return fail(kOlder);
  }
  SR_CHECK_OK(repair_trees(trees));
  SR_CHECK_OK(cut_trees(trees));
  SR_TRY(journal_, audit::Journal::resume(files_, options_.journal, reader));
  const auto begun =
      audit::segment_time_ms(files_, options_.directory, journal_->segment_first_sequence());
  segment_month_ = month_of(begun ? *begun * 1000 : clock_.now_us());
  return {};
}

// auditd writes what a log had come to where that is true.
bool Ledger::tells_truth(const audit::EntryView& view) {
  if (!audit::tells_of_a_log(view.event_type)) return true;
  const auto name = audit::name_of_origin(options_.place, view.resources[0]);
  const audit::Log* log = name ? logs_.find(*name) : nullptr;
  return log != nullptr && view.tree_size == log->tree.size() && view.tree_root == log->tree.root();
}

Result<audit::JournalReader> Ledger::resume(std::span<const audit::Checkpoint> last_signed) {
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files_, options_.directory));
  auto snapshot = fitting_snapshot(last_signed);
  if (snapshot) {
    const Result<void> started =
        reader.start_behind(snapshot->last_frame, snapshot->last_sequence, snapshot->last_leaf);
    if (started) {
      restore(*std::move(snapshot));
      return reader;
    }
    snapshot = std::unexpected(started.error());
  }
  if (snapshot.error().code() != ErrorCode::not_found) {
    log::warn("audit snapshot not used", {{"error", snapshot.error()}});
  }
  SR_CHECK_OK(check_beginning());
  return audit::JournalReader::open(files_, options_.directory);
}

// Without a snapshot the whole journal is read, of which the beginning may be in archives.
Result<void> Ledger::check_beginning() {
  SR_TRY(const auto segments, audit::list_segments(files_, options_.directory));
  if (segments.empty() || segments.front() == audit::segment_name(1)) return {};
  log::error("audit journal's beginning is not here: put the segments of the archives back",
             {{"first", audit::archive_name(1)}, {"up_to_before", segments.front()}});
  return fail({ErrorCode::corrupt,
               "the journal's beginning is in archives, and there is no "
               "snapshot that would do without"});
}

// What the snapshot says must have been signed for, and be in the files of the trees.
Result<audit::Snapshot> Ledger::fitting_snapshot(std::span<const audit::Checkpoint> last_signed) {
  constexpr Error kUnfit{ErrorCode::conflict, "snapshot is not of what was signed for"};
  constexpr Error kNotSigned{ErrorCode::corrupt, "snapshot is not signed by auditd's key"};
  SR_TRY(const std::string bytes,
         audit::read_text(files_, fmt::format("{}/{}", options_.directory, audit::kSnapshotName),
                          audit::kSnapshotBytesMax));
  SR_TRY(audit::Snapshot snapshot, audit::parse_snapshot(as_bytes(bytes)));
  if (!audit::snapshot_is_signed(as_bytes(bytes), options_.public_key)) return fail(kNotSigned);
  std::unordered_map<std::string_view, const audit::Checkpoint*> by_origin;
  for (const audit::Checkpoint& checkpoint : last_signed) {
    by_origin.emplace(checkpoint.origin, &checkpoint);
  }
  audit::TreeFiles trees(files_, options_.directory);
  for (const audit::Snapshot::LogState& log : snapshot.logs) {
    const auto found = by_origin.find(audit::log_origin(options_.place, log.name));
    if (found == by_origin.end() || found->second->size < log.tree.size()) return fail(kUnfit);
    if (found->second->size == log.tree.size() && found->second->root != log.tree.root()) {
      return fail(kUnfit);
    }
    SR_TRY(const bool held, trees.hold(log.name, log.tree.size()));
    if (!held) return fail(kUnfit);
  }
  return snapshot;
}

void Ledger::restore(audit::Snapshot snapshot) {
  last_frame_ = snapshot.last_frame;
  last_leaf_ = snapshot.last_leaf;
  logs_ = audit::Logs(std::move(snapshot.broken_at));
  archives_ = std::move(snapshot.archives);
  recorded_failures_ = std::move(snapshot.failures);
  for (audit::Snapshot::LogState& log : snapshot.logs) {
    logs_.restore({.name = std::move(log.name),
                   .tree = std::move(log.tree),
                   .growth = {},
                   .recorded_size = log.recorded_size});
  }
  for (const auto& [name, log] : logs_.all()) {
    if (is_unrecorded(log)) unrecorded_.emplace(name, &log);
  }
  for (audit::Snapshot::WriterState& state : snapshot.writers) {
    Writer& writer = writer_of(state.instance);
    for (const EntryId& uid : state.uids) writer.uids.add(uid);
    for (auto& [operation, json] : state.open_intents) {
      writer.open_intents.emplace(operation, std::move(json));
    }
  }
}

std::optional<audit::Snapshot> Ledger::take_snapshot(std::uint64_t bytes_min) {
  SR_CHECK(grown_entries_ == 0);
  if (bytes_since_snapshot_ < bytes_min) return std::nullopt;
  bytes_before_snapshot_ = std::exchange(bytes_since_snapshot_, 0);
  audit::Snapshot snapshot{.last_frame = last_frame_,
                           .last_sequence = journal_->next_sequence() - 1,
                           .last_leaf = last_leaf_,
                           .broken_at = logs_.broken_at(),
                           .logs = {},
                           .writers = {},
                           .archives = archives_,
                           .failures = recorded_failures_};
  snapshot.logs.reserve(logs_.all().size());
  for (const auto& [name, log] : logs_.all()) {
    if (log.tree.size() > 0) snapshot.logs.push_back({name, log.tree, log.recorded_size});
  }
  snapshot.writers.reserve(writers_.size());
  for (const auto& [instance, writer] : writers_) {
    snapshot.writers.push_back(
        {instance, writer.uids.uids(), {writer.open_intents.begin(), writer.open_intents.end()}});
  }
  return snapshot;
}

// Has the files hold what was read since the last call.
Result<void> Ledger::repair_trees(audit::TreeFiles& trees) {
  for (audit::Log* grown : std::exchange(grown_, {})) {
    const audit::LogGrowth growth = std::exchange(grown->growth, {});
    SR_TRY(const bool differed, trees.repair(grown->name, growth));
    if (!differed) continue;
    log::warn("files of an audit tree differed from the journal", {{"log", grown->name}});
  }
  grown_entries_ = 0;
  return {};
}

// Whatever the files hold beyond the journal is not of its history.
Result<void> Ledger::cut_trees(audit::TreeFiles& trees) {
  SR_TRY(const auto names, audit::list_logs(files_, options_.directory));
  for (const std::string& name : names) {
    const auto found = logs_.all().find(name);
    SR_CHECK_OK(trees.cut(name, found == logs_.all().end() ? 0 : found->second.tree.size()));
  }
  return {};
}

std::vector<GrownLog> Ledger::unsigned_logs(std::span<const audit::Checkpoint> published) const {
  std::map<std::string, std::uint64_t, std::less<>> signed_sizes;
  for (const audit::Checkpoint& checkpoint : published) {
    signed_sizes.emplace(checkpoint.origin, checkpoint.size);
  }
  std::vector<GrownLog> logs;
  for (const auto& [name, log] : logs_.all()) {
    const auto found = signed_sizes.find(audit::log_origin(options_.place, name));
    if (found != signed_sizes.end() && found->second == log.tree.size()) continue;
    logs.push_back({name, log.tree.head(), {}});
  }
  return logs;
}

}  // namespace strongroom::auditd

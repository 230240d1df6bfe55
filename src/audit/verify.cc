// verify_audit: one pass over the journal, whose entries are handed to their logs' LogCheck.
#include "audit/verify.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "audit/archive.h"
#include "audit/archive_records.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_names.h"
#include "audit/entry_view.h"
#include "audit/hashed_frames.h"
#include "audit/holdings.h"
#include "audit/log_check.h"
#include "audit/logs.h"
#include "audit/side_files.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

// Entries whose hashes wait to be compared with the trees' files: some 30 MB.
constexpr std::uint64_t kUncomparedMax = 500'000;
// An auditd archives once an hour; who disposes of one archive after the other may need a third.
constexpr int kLooksMax = 3;

struct Keys {
  NoteKey key;
  std::string place;
  std::vector<CosignatureVerifier> witnesses;
};

class Verification {
 public:
  // `keys` outlives it.
  Verification(Files& files, std::string directory, const Keys& keys, std::int64_t now_us)
      : files_(files),
        directory_(std::move(directory)),
        keys_(keys),
        now_ms_(now_us / 1000),
        signed_before_ms_((now_us - kUnsignedAgeMaxUs) / 1000) {}

  Result<VerifyReport> run(const VerifyCallback& progress) {
    SR_CHECK_OK(open_logs());
    if (!report_.bad) SR_CHECK_OK(read_journal(progress));
    if (!report_.bad) SR_CHECK_OK(finish_logs());
    if (!report_.bad) SR_CHECK_OK(check_record());
    if (!report_.bad) SR_CHECK_OK(check_side_files());
    if (!report_.bad) SR_CHECK_OK(check_archives());
    if (damaged_) blame_damage();
    count();
    return std::move(report_);
  }

 private:
  // Every log that was ever signed for is known before the journal is read.
  Result<void> open_logs() {
    SR_TRY(const auto recorded, read_record());
    for (const Checkpoint& checkpoint : recorded) {
      const auto name = name_of_origin(keys_.place, checkpoint.origin);
      if (!name) {
        report_.bad = BadPlace{.what = "checkpoint of another place than the key's",
                               .file = std::string(kLastSignedName)};
        return {};
      }
      SR_TRY(LogCheck * log, log_named(*name));
      log->expect(checkpoint);
    }
    SR_TRY(const auto names, list_checkpoint_logs(files_, directory_));
    for (const std::string& name : names) {
      SR_TRY(LogCheck * log, log_named(name));
      SR_CHECK_OK(log->expect_checkpoints());
    }
    // Read before the journal, which thus holds what they are of.
    SR_TRY(cosigned_, read_cosigned(files_, directory_));
    SR_TRY(snapshot_, check_snapshot(files_, directory_, keys_.key.public_key));
    if (snapshot_.snapshot) archives_since_ = snapshot_.snapshot->archives;
    return {};
  }

  // What was signed last; bad when that is damaged.
  Result<std::vector<Checkpoint>> read_record() {
    auto recorded = read_last_signed(files_, directory_);
    if (recorded || recorded.error().code() != ErrorCode::corrupt) return recorded;
    report_.bad = BadPlace{.what = recorded.error().what(), .file = std::string(kLastSignedName)};
    return std::vector<Checkpoint>();
  }

  Result<LogCheck*> log_named(const std::string& name) {
    if (const auto found = logs_.find(name); found != logs_.end()) return &found->second;
    NoteKey key = keys_.key;
    key.name = log_origin(keys_.place, name);
    SR_TRY(LogCheck log, LogCheck::open(files_, directory_, name, std::move(key)));
    LogCheck* const placed = &logs_.emplace(name, std::move(log)).first->second;
    blame(*placed);
    return placed;
  }

  // What a log has found is what the report says.
  void blame(const LogCheck& log) {
    if (!report_.bad) report_.bad = log.bad();
  }

  Result<void> read_journal(const VerifyCallback& progress) {
    SR_TRY(const auto frames, HashedFrames::open(files_, directory_));
    oldest_at_hand_ = frames->first_sequence();
    SR_CHECK_OK(take_unread(frames->first_sequence()));
    for (bool more = true; more && !report_.bad;) {
      SR_TRY(const FrameBatch batch, frames->next());
      more = !batch.at_end;
      for (const HashedFrame& frame : batch.frames) {
        SR_CHECK_OK(take(frame));
        if (report_.bad) break;
      }
      if (!report_.bad && batch.damaged) damaged_ = damaged(*batch.damaged, batch.torn);
      report_.segments = batch.segments;
      if (progress) progress({batch.bytes_read, batch.bytes_total, report_.entries});
    }
    return {};
  }

  // What stands before the damage was judged as if it were all.
  void blame_damage() {
    damaged_->behind_signed = !report_.bad;
    damaged_->torn = damaged_->torn && damaged_->behind_signed;
    report_.bad = std::move(damaged_);
  }

  static BadPlace damaged(const JournalPlace& at, bool torn) {
    return {.what = "journal holds a damaged frame",
            .file = at.file,
            .offset_bytes = at.offset_bytes,
            .sequence = at.sequence,
            .torn = torn};
  }

  // What the segments held that are gone, as the trees have it: each entry is in one log.
  Result<void> take_unread(std::uint64_t first_sequence) {
    if (first_sequence <= 1) return {};
    SR_TRY(const auto names, list_logs(files_, directory_));
    std::string broken_at;
    for (const std::string& name : names) {
      SR_TRY(LogCheck * log, log_named(name));
      SR_TRY(const std::uint64_t count, log->entries_before(first_sequence));
      SR_CHECK_OK(log->append_unread(count));
      blame(*log);
      if (report_.bad) return {};
      report_.unread_entries += count;
      // Of operator-2026b20261122T150000Z what is behind the b.
      constexpr std::size_t kPlainBytes = kOperator.size() + 5;
      if (count > 0 && is_operators(name) && name.size() > kPlainBytes) {
        broken_at = std::max(broken_at, name.substr(kPlainBytes + 1));
      }
    }
    names_ = LogNames(std::move(broken_at));
    if (report_.unread_entries != first_sequence - 1) {
      report_.bad = BadPlace{.what = "segments are gone, and the trees tell of other entries",
                             .file = std::string(kTreeFolder),
                             .sequence = report_.unread_entries + 1};
    }
    return {};
  }

  Result<void> take(const HashedFrame& frame) {
    const auto view = read_entry(frame.entry);
    if (!view) {
      report_.bad = bad_entry(frame, view.error().what());
      return {};
    }
    ++report_.entries;
    note_intent(*view, frame.sequence);
    const std::string& name = names_.of(*view);
    if (!agrees_with_its_tree(*view)) {
      report_.bad = bad_entry(frame, "a recorded checkpoint differs from its log");
      report_.bad->log = name;
      return {};
    }
    if (log_ == nullptr || log_->name() != name) {
      SR_TRY(log_, log_named(name));
    }
    names_.took(*view);
    note_archive(frame, *view);
    SR_CHECK_OK(log_->append(frame.leaf, {frame.place, frame.sequence, view->time_ms}));
    blame(*log_);
    return ++uncompared_ < kUncomparedMax ? Result<void>{} : compare_files();
  }

  // Nothing is kept until then.
  Result<void> compare_files() {
    uncompared_ = 0;
    for (auto& [name, log] : logs_) {
      SR_CHECK_OK(log.compare_files());
      blame(log);
    }
    return {};
  }

  static BadPlace bad_entry(const HashedFrame& frame, std::string_view what) {
    return {.what = what,
            .file = segment_name(frame.place.segment_first_sequence),
            .offset_bytes = frame.place.offset_bytes,
            .sequence = frame.sequence};
  }

  // Whether an entry that says what a log had come to when it was written tells the truth.
  bool agrees_with_its_tree(const EntryView& view) const {
    if (!tells_of_a_log(view.event_type)) return true;
    const auto name = name_of_origin(keys_.place, view.resources[0]);
    const auto log = name ? logs_.find(*name) : logs_.end();
    return log != logs_.end() && view.tree_size == log->second.tree().size() &&
           view.tree_root == log->second.tree().root();
  }

  Result<void> finish_logs() {
    if (report_.entries + report_.unread_entries == 0 && !damaged_) {
      report_.bad = BadPlace{.what = "journal holds no entry, and auditd begins it with one"};
    }
    for (auto& [name, log] : logs_) {
      // A crash, or who copied it, may have left unsigned what stands before a damaged end.
      SR_CHECK_OK(log.finish(damaged_ ? INT64_MIN : signed_before_ms_));
      blame(log);
    }
    return {};
  }

  // A running auditd replaces the record before it signs: it is never older than a checkpoint.
  Result<void> check_record() {
    SR_TRY(const auto recorded, read_record());
    std::map<std::string, std::uint64_t, std::less<>> sizes;
    for (const Checkpoint& checkpoint : recorded) sizes[checkpoint.origin] = checkpoint.size;
    for (const auto& [name, log] : logs_) {
      if (report_.bad || log.good_size() <= sizes[log.verifier().key().name]) continue;
      report_.bad = BadPlace{.what = "a log's last signed checkpoint is not recorded",
                             .file = std::string(kLastSignedName),
                             .log = name};
    }
    return {};
  }

  Result<void> check_side_files() {
    for (const CosignedNote& note : cosigned_) {
      SR_TRY(const LogCheck* log, log_named(note.log));
      if (report_.bad) return {};
      SR_TRY(report_.bad, check_cosigned(files_, directory_, note, log->verifier(), keys_.witnesses,
                                         log->tree().size()));
    }
    if (!report_.bad) report_.bad = snapshot_.bad;
    return {};
  }

  // What the log's key signed for in the snapshot counts for what the entries at hand no longer
  // tell of: when its last entry stands in the journal, all that it lacks is at hand, too.
  void note_archive(const HashedFrame& frame, const EntryView& view) {
    take_archive_entry(archives_, view);
    if (!snapshot_.snapshot) return;
    const Snapshot& snapshot = *snapshot_.snapshot;
    if (frame.sequence > snapshot.last_sequence) take_archive_entry(archives_since_, view);
    if (frame.sequence == snapshot.last_sequence) snapshot_fits_ = frame.leaf == snapshot.last_leaf;
  }

  Result<void> check_archives() {
    const ArchiveRecords& records = snapshot_fits_ ? archives_since_ : archives_;
    // auditd removes no segment before a snapshot behind it is durable.
    report_.archives_known = snapshot_fits_ || oldest_at_hand_ <= 1;
    SR_TRY(const auto listed, list_archives(files_, directory_));
    const std::set<std::uint64_t> there(listed.begin(), listed.end());
    for (const auto& [first_sequence, record] : records) {
      SR_CHECK_OK(check_archive(first_sequence, record, there.contains(first_sequence)));
      if (report_.bad) return {};
    }
    for (const std::uint64_t first_sequence : listed) {
      // auditd records an archive before it removes the segment.
      if (first_sequence < oldest_at_hand_ && !records.contains(first_sequence)) {
        report_.unvouched_archives.push_back(first_sequence);
      }
    }
    SR_TRY(const Holdings holdings, list_holdings(files_, directory_));
    note_unaccounted(records, holdings.away);
    return {};
  }

  // It is there while it is locked, and as long as it is there it is the one that the log names.
  Result<void> check_archive(std::uint64_t first_sequence, const ArchiveRecord& record,
                             bool is_there) {
    if (record.disposed || (!is_there && record.locked_until_ms <= now_ms_)) return {};
    const auto held = hash_file(files_, archive_path(directory_, first_sequence));
    if (!held && held.error().code() != ErrorCode::not_found) return fail(held.error());
    if (held == record.sha256) {
      ++report_.archives;
      return {};
    }
    report_.bad = BadPlace{
        .what = held ? "an archive is not the one that the log names" : "a locked archive is gone",
        .file = fmt::format("{}/{}", kArchiveFolder, archive_name(first_sequence)),
        .sequence = first_sequence};
    return {};
  }

  // A record names the first sequence of each segment that it is of.
  void note_unaccounted(const ArchiveRecords& records, const std::vector<AwaySegment>& away) {
    for (const AwaySegment& segment : away) {
      if (segment.archive) continue;
      for (std::uint64_t first = segment.first_sequence; first <= segment.last_sequence;) {
        const auto behind = records.upper_bound(first);
        const std::uint64_t end = behind == records.end()
                                      ? segment.last_sequence + 1
                                      : std::min(behind->first, segment.last_sequence + 1);
        const auto record = records.find(first);
        if (record == records.end() || !record->second.disposed) {
          report_.unaccounted.push_back({first, end - 1});
        }
        first = end;
      }
    }
  }

  void note_intent(const EntryView& view, std::uint64_t sequence) {
    if (view.phase == Phase::single) return;
    auto found = open_.find(view.instance);
    if (found == open_.end()) found = open_.emplace(std::string(view.instance), Open{}).first;
    if (view.phase == Phase::intent) {
      found->second.emplace(view.operation_id, std::pair(sequence, view.event_type));
    } else {
      found->second.erase(view.operation_id);
    }
  }

  void count() {
    report_.logs = logs_.size();
    for (const auto& [name, log] : logs_) {
      report_.checkpoints += log.checkpoints();
      report_.unsigned_entries += log.tree().size() - log.good_size();
    }
    for (const auto& [instance, intents] : open_) {
      report_.open_intent_count += intents.size();
      for (const auto& [operation, where] : intents) {
        report_.open_intents.push_back({operation, instance, where.second, where.first});
      }
    }
    std::ranges::sort(report_.open_intents, {}, &OpenIntentPlace::sequence);
    if (report_.open_intents.size() > kOpenIntentsListedMax) {
      report_.open_intents.resize(kOpenIntentsListedMax);
    }
  }

  struct OperationHash {
    std::size_t operator()(const OperationId& id) const noexcept {
      return static_cast<std::size_t>(read_u64be(std::span(id.bytes).subspan(8)));
    }
  };
  using Open = std::unordered_map<OperationId, std::pair<std::uint64_t, EventType>, OperationHash>;

  Files& files_;
  std::string directory_;
  const Keys& keys_;
  CheckedSnapshot snapshot_;
  bool snapshot_fits_ = false;
  std::uint64_t oldest_at_hand_ = 1;  // sequence
  ArchiveRecords archives_;           // as the entries read tell
  ArchiveRecords archives_since_;     // as the snapshot tells, and the entries behind it
  const std::int64_t now_ms_;
  const std::int64_t signed_before_ms_;
  std::unordered_map<std::string, LogCheck, Logs::TextHash, std::equal_to<>> logs_;
  std::map<std::string, Open, std::less<>> open_;  // by instance
  std::vector<CosignedNote> cosigned_;
  LogNames names_;
  LogCheck* log_ = nullptr;  // of the last entry
  std::uint64_t uncompared_ = 0;
  std::optional<BadPlace> damaged_;  // a frame, where reading ended
  VerifyReport report_;
};

// What an auditd that archives and disposes of archives changes meanwhile.
struct Shelved {
  std::vector<std::string> segments;
  std::vector<std::uint64_t> archives;
  bool operator==(const Shelved&) const = default;
};
Result<Shelved> look_at_shelf(Files& files, const std::string& directory) {
  SR_TRY(std::vector<std::string> segments, list_segments(files, directory));
  segments.resize(std::min<std::size_t>(segments.size(), 1));  // new ones may begin
  SR_TRY(std::vector<std::uint64_t> archives, list_archives(files, directory));
  return Shelved{std::move(segments), std::move(archives)};
}

}  // namespace

Result<VerifyReport> verify_audit(Files& files, const std::string& directory, std::string_view vkey,
                                  std::int64_t now_us, const VerifyCallback& progress,
                                  std::span<const NoteKey> witnesses) {
  Keys keys;
  SR_TRY(keys.key, NoteKey::parse(vkey));
  SR_TRY(keys.place, place_of_origin(keys.key.name));
  keys.witnesses.reserve(witnesses.size());
  for (const NoteKey& witness : witnesses) {
    SR_TRY(CosignatureVerifier verifier, CosignatureVerifier::create(witness));
    keys.witnesses.push_back(std::move(verifier));
  }
  // What was disposed of behind the place that was read last looks as if it were missing.
  for (int look = 1;; ++look) {
    const auto before = look_at_shelf(files, directory);
    SR_TRY(VerifyReport report, Verification(files, directory, keys, now_us).run(progress));
    if (report.complete() || look == kLooksMax) return report;
    const auto after = look_at_shelf(files, directory);
    if (before && after && *before == *after) return report;
  }
}

}  // namespace strongroom::audit

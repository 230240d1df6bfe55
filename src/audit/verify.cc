// verify_audit: one pass over the journal, beside which each log's checkpoints are read as its tree
// reaches their sizes.
#include "audit/verify.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <unordered_map>

#include "audit/checkpoint_files.h"
#include "audit/entry_names.h"
#include "audit/entry_view.h"
#include "audit/journal_reader.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::uint64_t kProgressEntries = 8'192;
// A bad frame may be one that a running auditd is about to complete, or has completed and gone on
// from while it was read. What stays bad is.
constexpr int kRetries = 3;
constexpr std::chrono::milliseconds kRetryPause{10};

// A checkpoint that the tree has yet to reach.
struct Pending {
  Checkpoint checkpoint;
  std::string file;
  std::uint64_t offset_bytes = 0;
};

// One log while it is derived again.
struct LogState {
  MerkleTree tree;
  std::optional<NoteVerifier> verifier;
  std::optional<CheckpointReader> reader;
  std::optional<Pending> next;  // of the checkpoint file
  std::optional<Checkpoint> last_signed;
  std::uint64_t good_size = 0;  // of the last checkpoint that fitted
  JournalPlace suspect;         // the first entry behind it
  std::int64_t suspect_ms = 0;  // its time
  bool has_suspect = false;
};

class Verification {
 public:
  Verification(Files& files, std::string directory, NoteKey key, std::string place,
               std::int64_t now_us)
      : files_(files),
        directory_(std::move(directory)),
        key_(std::move(key)),
        place_(std::move(place)),
        signed_before_ms_((now_us - kUnsignedAgeMaxUs) / 1000) {}

  Result<VerifyReport> run(const VerifyCallback& progress) {
    SR_TRY(JournalReader reader, JournalReader::open(files_, directory_));
    SR_CHECK_OK(open_logs());
    while (!report_.bad) {
      SR_TRY(const auto frame, next(reader));
      if (!frame) break;
      SR_CHECK_OK(take(*frame, reader));
      if (progress && report_.entries % kProgressEntries == 0) report(progress, reader);
    }
    if (!report_.bad) check_ends();
    if (!report_.bad) check_signed();
    count(reader);
    if (progress) report(progress, reader);
    return std::move(report_);
  }

 private:
  Result<std::optional<FrameView>> next(JournalReader& reader) {
    for (int attempt = 0;; ++attempt) {
      auto frame = reader.next();
      if (frame || frame.error().code() != ErrorCode::corrupt) return frame;
      if (attempt < kRetries) {
        std::this_thread::sleep_for(kRetryPause);
        continue;
      }
      const JournalPlace& at = reader.place();
      report_.bad = BadPlace{.what = frame.error().what(),
                             .file = at.file,
                             .offset_bytes = at.offset_bytes,
                             .sequence = at.sequence,
                             .torn = reader.torn()};
      return std::nullopt;
    }
  }

  // Every log that was ever signed for is known before the journal is read.
  Result<void> open_logs() {
    const auto recorded = read_last_signed(files_, directory_);
    if (!recorded && recorded.error().code() == ErrorCode::corrupt) {
      report_.bad = BadPlace{.what = recorded.error().what(), .file = std::string(kLastSignedName)};
      return {};
    }
    if (!recorded) return std::unexpected(recorded.error());
    for (const Checkpoint& checkpoint : *recorded) {
      const auto name = name_of_origin(place_, checkpoint.origin);
      if (!name) {
        report_.bad = BadPlace{.what = "checkpoint of another place than the key's",
                               .file = std::string(kLastSignedName)};
        return {};
      }
      SR_TRY(LogState * log, log_named(*name));
      log->last_signed = checkpoint;
    }
    SR_TRY(const auto names, list_checkpoint_logs(files_, directory_));
    for (const std::string& name : names) SR_CHECK_OK(log_named(name));
    return {};
  }

  Result<LogState*> log_named(std::string_view name) {
    if (const auto found = logs_.find(name); found != logs_.end()) return &found->second;
    LogState& log = logs_.emplace(std::string(name), LogState{}).first->second;
    NoteKey key = key_;
    key.name = log_origin(place_, name);
    SR_TRY(log.verifier, NoteVerifier::create(std::move(key)));
    auto reader = CheckpointReader::open(files_, checkpoint_path(directory_, name));
    if (!reader && reader.error().code() != ErrorCode::not_found) {
      return std::unexpected(reader.error());
    }
    if (reader) log.reader.emplace(*std::move(reader));
    SR_CHECK_OK(read_checkpoint(log, name));
    return &log;
  }

  // Reads the log's next checkpoint; bad when it is not signed by the key or not ascending.
  Result<void> read_checkpoint(LogState& log, std::string_view name) {
    log.next.reset();
    if (!log.reader) return {};
    SR_TRY(const auto note, log.reader->next());
    if (!note) return {};
    auto checkpoint = open_checkpoint(*note, *log.verifier);
    const std::string file = checkpoint_path({}, name).substr(1);
    if (!checkpoint || checkpoint->size < log.tree.size()) {
      report_.bad = BadPlace{.what = checkpoint ? std::string_view("checkpoints are not in order")
                                                : checkpoint.error().what(),
                             .file = file,
                             .offset_bytes = log.reader->offset_bytes(),
                             .log = std::string(name)};
      return {};
    }
    log.next = Pending{*std::move(checkpoint), file, log.reader->offset_bytes()};
    return {};
  }

  Result<void> take(const FrameView& frame, const JournalReader& reader) {
    const auto view = read_entry(as_text(frame.entry));
    if (!view) {
      const JournalPlace at = place_of(frame, reader);
      report_.bad = BadPlace{.what = view.error().what(),
                             .file = at.file,
                             .offset_bytes = at.offset_bytes,
                             .sequence = at.sequence};
      return {};
    }
    ++report_.entries;
    note_intent(*view, frame.sequence);
    name_ = names_.of(*view);
    if (!agrees_with_its_tree(*view)) {
      const JournalPlace at = place_of(frame, reader);
      report_.bad = BadPlace{.what = "a recorded checkpoint differs from its log",
                             .file = at.file,
                             .offset_bytes = at.offset_bytes,
                             .sequence = at.sequence,
                             .log = name_};
      return {};
    }
    names_.took(*view);
    SR_TRY(LogState * log, log_named(name_));
    if (!log->has_suspect) {
      log->suspect = place_of(frame, reader);
      log->suspect_ms = view->time_ms;
      log->has_suspect = true;
    }
    log->tree.append(leaf_hash_of_input(frame.leaf_input));
    return check_root(*log);
  }

  // Whether an entry that says what a log had come to when it was written tells the truth.
  bool agrees_with_its_tree(const EntryView& view) const {
    if (!auditd_alone_writes(view.event_type)) return true;
    const auto name = name_of_origin(place_, view.resources[0]);
    const auto log = name ? logs_.find(*name) : logs_.end();
    return log != logs_.end() && view.tree_size == log->second.tree.size() &&
           view.tree_root == log->second.tree.root();
  }

  // Where the frame that next() just gave begins.
  static JournalPlace place_of(const FrameView& frame, const JournalReader& reader) {
    return {reader.place().file, reader.place().offset_bytes - frame.size_bytes, frame.sequence};
  }

  Result<void> check_root(LogState& log) {
    const std::uint64_t size = log.tree.size();
    if (log.last_signed && log.last_signed->size == size) {
      if (log.last_signed->root != log.tree.root()) return differs(log, size);
      log.last_signed.reset();
    }
    while (!report_.bad && log.next && log.next->checkpoint.size == size) {
      if (log.next->checkpoint.root != log.tree.root()) return differs(log, size);
      ++report_.checkpoints;
      log.good_size = size;
      log.has_suspect = false;
      SR_CHECK_OK(read_checkpoint(log, name_));
    }
    return {};
  }

  Result<void> differs(const LogState& log, std::uint64_t size) {
    report_.bad = BadPlace{.what = "entries differ from those that were signed for",
                           .file = log.suspect.file,
                           .offset_bytes = log.suspect.offset_bytes,
                           .sequence = log.suspect.sequence,
                           .log = name_,
                           .index_begin = log.good_size,
                           .index_end = size};
    return {};
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

  // After the journal's end: what was signed for and never came is gone.
  void check_ends() {
    for (const auto& [name, log] : logs_) {
      const bool missing = log.next.has_value() || log.last_signed.has_value();
      if (missing && !report_.bad) {
        report_.bad =
            BadPlace{.what = "journal is older than its last signed checkpoint",
                     .file = log.next ? log.next->file : std::string(kLastSignedName),
                     .offset_bytes = log.next ? log.next->offset_bytes : 0,
                     .log = name,
                     .index_begin = log.tree.size(),
                     .index_end = log.next ? log.next->checkpoint.size : log.last_signed->size};
      }
    }
  }

  // An entry that nobody signed for proves nothing.
  void check_signed() {
    if (report_.entries == 0) {
      report_.bad = BadPlace{.what = "journal holds no entry, and auditd begins it with one"};
    }
    for (const auto& [name, log] : logs_) {
      if (report_.bad || !log.has_suspect || log.suspect_ms >= signed_before_ms_) continue;
      report_.bad = BadPlace{.what = "entries of more than five minutes ago are not signed for",
                             .file = log.suspect.file,
                             .offset_bytes = log.suspect.offset_bytes,
                             .sequence = log.suspect.sequence,
                             .log = name,
                             .index_begin = log.good_size,
                             .index_end = log.tree.size()};
    }
  }

  void count(const JournalReader& reader) {
    report_.segments = reader.segments_opened();
    report_.logs = logs_.size();
    for (const auto& [name, log] : logs_)
      report_.unsigned_entries += log.tree.size() - log.good_size;
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

  void report(const VerifyCallback& progress, const JournalReader& reader) const {
    progress({reader.bytes_read(), reader.bytes_total(), report_.entries});
  }

  struct OperationHash {
    std::size_t operator()(const OperationId& id) const noexcept {
      return static_cast<std::size_t>(read_u64be(std::span(id.bytes).subspan(8)));
    }
  };
  using Open = std::unordered_map<OperationId, std::pair<std::uint64_t, EventType>, OperationHash>;

  Files& files_;
  std::string directory_;
  NoteKey key_;
  std::string place_;
  const std::int64_t signed_before_ms_;
  std::unordered_map<std::string, LogState, Logs::TextHash, std::equal_to<>> logs_;
  std::map<std::string, Open, std::less<>> open_;  // by instance
  LogNames names_;
  std::string name_;  // of the log that the current entry belongs to
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify_audit(Files& files, const std::string& directory, std::string_view vkey,
                                  std::int64_t now_us, const VerifyCallback& progress) {
  SR_TRY(NoteKey key, NoteKey::parse(vkey));
  SR_TRY(std::string place, place_of_origin(key.name));
  return Verification(files, directory, std::move(key), std::move(place), now_us).run(progress);
}

}  // namespace strongroom::audit

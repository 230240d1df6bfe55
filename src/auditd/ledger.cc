// Ledger.
#include "auditd/ledger.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "audit/entry_names.h"
#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::EntryStatus;
using audit::EntryView;

namespace {

constexpr std::size_t kOwnWaitingMax = 16;
constexpr std::string_view kJournal = "journal";
constexpr std::string_view kReserve = "reserve";
constexpr std::size_t kReplayEntriesMax = 65'536;  // between two writes to the trees' files
constexpr std::size_t kSnapshotBytesMax = std::size_t{1} << 30;
constexpr Error kOlder{ErrorCode::corrupt, "journal is older than its last signed checkpoint"};
constexpr Error kBehind{ErrorCode::unavailable, "files of the audit trees are not written"};
constexpr std::size_t kOwnGroupMax = 256;
constexpr Error kNotTaken{ErrorCode::unavailable, "audit journal did not take the entry"};
constexpr Error kJustBroken{ErrorCode::conflict, "new shards were opened in this very second"};
constexpr Error kFailedAgain{ErrorCode::unavailable, "audit journal failed again"};

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
    : files_(files), clock_(clock), random_(random), options_(std::move(options)) {
  options_.journal.directory = options_.directory;
}

Result<std::unique_ptr<Ledger>> Ledger::open(audit::Files& files, const Clock& clock,
                                             crypto::Random& random, LedgerOptions options,
                                             std::span<const audit::Checkpoint> last_signed) {
  std::unique_ptr<Ledger> ledger(new Ledger(files, clock, random, std::move(options)));
  SR_CHECK_OK(ledger->replay(last_signed));
  SR_TRY(ledger->reserve_,
         Reserve::open(ledger->options_.directory, ledger->options_.reserve_bytes));
  if (!ledger->reserve_->whole()) {
    log::warn("audit log's disk has no room for its reserve",
              {{"mib", ledger->options_.reserve_bytes >> 20}});
  }
  if (const auto& recovery = ledger->journal_->recovery()) {
    ledger->append_own({.event_type = audit::EventType::log_recovered,
                        .resources = {recovery->file},
                        .old_size_bytes = recovery->old_size_bytes,
                        .new_size_bytes = recovery->new_size_bytes});
  }
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
  return {};
}

Result<audit::JournalReader> Ledger::resume(std::span<const audit::Checkpoint> last_signed) {
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files_, options_.directory));
  auto snapshot = fitting_snapshot(last_signed);
  if (snapshot) {
    const Result<void> started = reader.start_at(snapshot->segment_first_sequence,
                                                 snapshot->offset_bytes, snapshot->next_sequence);
    if (started) {
      restore(*std::move(snapshot));
      return reader;
    }
    snapshot = std::unexpected(started.error());
  }
  if (snapshot.error().code() != ErrorCode::not_found) {
    log::warn("audit snapshot not used", {{"error", snapshot.error()}});
  }
  return audit::JournalReader::open(files_, options_.directory);
}

// What the snapshot says must have been signed for, and be in the files of the trees. Whether it is
// the journal's is settled by that: the last signed checkpoints are.
Result<Snapshot> Ledger::fitting_snapshot(std::span<const audit::Checkpoint> last_signed) {
  constexpr Error kUnfit{ErrorCode::conflict, "snapshot is not of what was signed for"};
  SR_TRY(const std::string bytes,
         audit::read_text(files_, fmt::format("{}/{}", options_.directory, kSnapshotName),
                          kSnapshotBytesMax));
  SR_TRY(Snapshot snapshot, parse_snapshot(as_bytes(bytes)));
  std::unordered_map<std::string_view, const audit::Checkpoint*> by_origin;
  for (const audit::Checkpoint& checkpoint : last_signed) {
    by_origin.emplace(checkpoint.origin, &checkpoint);
  }
  audit::TreeFiles trees(files_, options_.directory);
  for (const Snapshot::LogState& log : snapshot.logs) {
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

void Ledger::restore(Snapshot snapshot) {
  logs_ = audit::Logs(std::move(snapshot.broken_at));
  for (Snapshot::LogState& log : snapshot.logs) {
    logs_.restore({.name = std::move(log.name),
                   .tree = std::move(log.tree),
                   .growth = {},
                   .recorded_size = log.recorded_size});
  }
  for (Snapshot::WriterState& state : snapshot.writers) {
    Writer& writer = writer_of(state.instance);
    for (const EntryId& uid : state.uids) writer.uids.add(uid);
    for (auto& [operation, json] : state.open_intents) {
      writer.open_intents.emplace(operation, std::move(json));
    }
  }
}

std::optional<Snapshot> Ledger::take_snapshot(std::uint64_t bytes_min) {
  SR_CHECK(grown_entries_ == 0);
  if (bytes_since_snapshot_ < bytes_min) return std::nullopt;
  bytes_since_snapshot_ = 0;
  Snapshot snapshot{.segment_first_sequence = journal_->segment_first_sequence(),
                    .offset_bytes = journal_->place().offset_bytes,
                    .next_sequence = journal_->next_sequence(),
                    .broken_at = logs_.broken_at(),
                    .logs = {},
                    .writers = {}};
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
  for (auto& [name, log] : logs_.all()) {
    const audit::LogGrowth growth = std::exchange(log.growth, {});
    if (growth.empty()) continue;
    SR_TRY(const bool differed, trees.repair(name, growth));
    if (differed) log::warn("files of an audit tree differed from the journal", {{"log", name}});
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

void Ledger::append(std::span<Submission> group) {
  std::vector<Staged> staged;
  staged.reserve(group.size());
  for (Submission& submission : group) stage(submission, staged);
  commit(staged);
}

void Ledger::commit(std::vector<Staged>& staged) {
  if (staged.empty()) return;
  const Result<void> committed = journal_->commit();
  if (!committed) {
    log::error("audit journal takes no entries", {{"error", committed.error()}});
    disk_is_full_ = committed.error().detail() == ENOSPC || committed.error().detail() == EDQUOT;
    begin_failure(kJournal, committed.error().what(), clock_.now_us());
  }
  std::size_t number = 0;
  for (const Staged& item : staged) {
    if (!committed) {
      item.submission->status = EntryStatus::uncertain;  // until recover() has cut it
    } else if (item.submission->status == EntryStatus::durable) {
      take(item, item.submission->entry, journal_->leaf_input(number),
           journal_->frame_place(number));
      ++number;
    }
  }
  staged.clear();
}

// Sets the status that the entry will have when the group is durable.
void Ledger::stage(Submission& submission, std::vector<Staged>& staged) {
  if (!accepting()) return;  // the status says unavailable
  const auto view = audit::read_entry(submission.entry);
  if (!view || view->instance != submission.instance ||
      view->time_ms > clock_.now_us() / 1000 + kClockSkewMaxMs ||
      (audit::auditd_alone_writes(view->event_type) && view->instance != options_.instance)) {
    submission.status = EntryStatus::refused;
    return;
  }
  if (!admits(view->instance, room())) return;
  Writer& writer = writer_of(view->instance);
  if (writer.uids.contains(view->uid)) {
    submission.status = EntryStatus::repeated;
    return;
  }
  if (view->phase == audit::Phase::intent && writer.open_intents.size() >= kOpenIntentsMax) return;
  const bool twice = std::ranges::any_of(staged, [&](const Staged& other) {
    return other.writer == &writer && other.view.uid == view->uid;
  });
  audit::Log& log = logs_.of(*view);
  if (!twice && log.tree.size() == 0 && !begin_log(*view, staged)) return;
  submission.status = twice ? EntryStatus::repeated : EntryStatus::durable;
  staged.push_back({&submission, *view, &writer, &log});
  if (!twice) journal_->stage(submission.entry);
}

bool Ledger::begin_log(const EntryView& view, std::vector<Staged>& staged) {
  const std::string_view owner = audit::log_owner(view);
  const bool waits = std::ranges::any_of(
      staged, [&](const Staged& other) { return audit::log_owner(other.view) == owner; });
  if (waits) commit(staged);
  const audit::Log* before = logs_.newest_of(owner);
  if (before == nullptr || before->name == logs_.of(view).name) return accepting();
  const std::string origin = audit::log_origin(options_.place, before->name);
  if (audit::auditd_alone_writes(view.event_type) && view.resources[0] == origin) return true;
  commit(staged);
  if (!accepting()) return false;
  audit::Entry checkpoint = entry_about(audit::EventType::log_checkpoint, *before);
  if (audit::names_a_log(view.merchant_id)) checkpoint.merchant_id = view.merchant_id;
  checkpoint.time_us = view.time_ms * 1000;  // it belongs to the same log
  return write_own(checkpoint);
}

void Ledger::take(const Staged& item, std::string_view json, std::span<const std::byte> leaf_input,
                  const audit::FramePlace& place) {
  const EntryView& view = item.view;
  item.writer->uids.add(view.uid);
  if (view.phase == audit::Phase::intent) {
    item.writer->open_intents.emplace(view.operation_id, json);
  } else if (view.phase == audit::Phase::outcome) {
    item.writer->open_intents.erase(view.operation_id);
  }
  if (view.event_type == audit::EventType::log_checkpoint) {
    const auto name = audit::name_of_origin(options_.place, view.resources[0]);
    audit::Log* log = name ? logs_.find(*name) : nullptr;
    if (log != nullptr) log->recorded_size = view.tree_size.value_or(0);
  }
  ++grown_entries_;
  bytes_since_snapshot_ += audit::kFrameHeaderBytes + json.size();
  logs_.append(*item.log, view, audit::leaf_hash_of_input(leaf_input), place);
}

audit::Entry Ledger::entry_about(audit::EventType type, const audit::Log& log) const {
  return {.event_type = type,
          .time_us = clock_.now_us(),
          .resources = {audit::log_origin(options_.place, log.name)},
          .tree_size = log.tree.size(),
          .tree_root = log.tree.root()};
}

void Ledger::record_checkpoints() {
  std::vector<std::string> entries;
  for (const auto& [name, log] : logs_.all()) {
    if (audit::is_operators(name) || log.tree.size() == log.recorded_size) continue;
    audit::Entry checkpoint = entry_about(audit::EventType::log_checkpoint, log);
    entries.push_back(own_json(checkpoint));
  }
  for (std::span<const std::string> rest = entries; !rest.empty();) {
    const auto group = rest.first(std::min(rest.size(), kOwnGroupMax));
    std::vector<Submission> submissions;
    submissions.reserve(group.size());
    for (const std::string& json : group) submissions.push_back({options_.instance, json});
    append(submissions);  // what is not taken now is recorded the next time
    rest = rest.subspan(group.size());
  }
}

Result<void> Ledger::open_new_shards(std::string reason) {
  const audit::Log* before = logs_.newest_of(audit::kOperator);
  audit::Entry entry{.event_type = audit::EventType::log_break};
  if (before != nullptr) entry = entry_about(audit::EventType::log_break, *before);
  entry.time_us = clock_.now_us();
  entry.reason = std::move(reason);
  if (audit::break_time(rfc3339(entry.time_us)) == logs_.broken_at()) return fail(kJustBroken);
  const bool was_refusing = std::exchange(refusing_, false);
  if (!write_own(entry)) {
    refusing_ = was_refusing;
    return fail(kNotTaken);
  }
  for (audit::Entry& waiting : std::exchange(own_waiting_, {})) append_own(std::move(waiting));
  return {};
}

void Ledger::record_own(audit::EventType type, audit::Outcome outcome) {
  append_own({.event_type = type, .outcome = outcome});
}

void Ledger::append_own(audit::Entry entry) {
  if (entry.time_us == 0) entry.time_us = clock_.now_us();  // else it waited: it says since when
  const bool written = write_own(entry);
  if (!written && own_waiting_.size() < kOwnWaitingMax) own_waiting_.push_back(std::move(entry));
}

std::string Ledger::own_json(audit::Entry& entry) {
  entry.uid = crypto::new_entry_id(random_, clock_);
  if (entry.outcome == audit::Outcome::none) entry.outcome = audit::Outcome::success;
  return audit::to_json(entry, options_.instance);
}

bool Ledger::write_own(audit::Entry& entry) {
  const std::string json = own_json(entry);
  Submission submission{options_.instance, json};
  append(std::span(&submission, 1));
  return submission.status == EntryStatus::durable;
}

// A log.recovered that is not taken is not kept: the journal has not recovered, and the next
// attempt writes its own.
Result<void> Ledger::recover() {
  if (std::exchange(disk_is_full_, false)) release_reserve();
  if (journal_->failed()) SR_CHECK_OK(journal_->recover());
  if (is_behind()) return fail(kBehind);
  audit::Entry recovered{.event_type = audit::EventType::log_recovered, .time_us = clock_.now_us()};
  if (!write_own(recovered)) return fail(kFailedAgain);
  for (audit::Entry& entry : std::exchange(own_waiting_, {})) append_own(std::move(entry));
  if (accepting()) end_failure(kJournal);
  return accepting() ? Result<void>{} : fail(kFailedAgain);
}

void Ledger::release_reserve() {
  const Result<void> released = reserve_->release();
  if (!released) return log::warn("audit reserve not released", {{"error", released.error()}});
  log::error("audit log's disk is full", {{"reserve_mib", reserve_->left_bytes() >> 20}});
  begin_failure(kReserve, "the disk is full, and the reserve in use", clock_.now_us());
}

void Ledger::refill() {
  if (room() == Room::everyone || !reserve_->fill()) return;
  log::info("audit log's disk has room again");
  end_failure(kReserve);
}

bool Ledger::admits(std::string_view instance, Room room) const {
  if (room == Room::everyone || instance == options_.instance) return true;
  return room == Room::reserve_writers &&
         std::ranges::find(options_.reserve_writers, instance) != options_.reserve_writers.end();
}

void Ledger::begin_failure(std::string_view control, std::string_view cause,
                           std::int64_t since_us) {
  const OperationId id = crypto::new_operation_id(random_, clock_);
  if (!failures_.emplace(control, id).second) return;
  append_own({.operation_id = id,
              .event_type = audit::EventType::log_failure,
              .outcome = audit::Outcome::failed,
              .time_us = since_us,
              .operation = std::string(cause),
              .resources = {std::string(control)}});
}

void Ledger::end_failure(std::string_view control) {
  const auto found = failures_.find(control);
  if (found == failures_.end()) return;
  const OperationId id = found->second;
  failures_.erase(found);
  append_own({.operation_id = id,
              .event_type = audit::EventType::log_failure,
              .outcome = audit::Outcome::success,
              .resources = {std::string(control)}});
}

std::vector<std::string> Ledger::open_intents(std::string_view instance) const {
  const auto found = writers_.find(instance);
  if (found == writers_.end()) return {};
  std::vector<std::pair<OperationId, std::string_view>> sorted(found->second.open_intents.begin(),
                                                               found->second.open_intents.end());
  std::ranges::sort(sorted);  // a UUID v7 sorts by its millisecond
  std::vector<std::string> intents;
  intents.reserve(sorted.size());
  for (const auto& [operation, json] : sorted) intents.emplace_back(json);
  return intents;
}

std::size_t Ledger::open_intent_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [name, writer] : writers_) count += writer.open_intents.size();
  return count;
}

std::vector<GrownLog> Ledger::take_grown(std::size_t unwritten_entries) {
  std::vector<GrownLog> grown;
  for (auto& [name, log] : logs_.all()) {
    if (log.growth.empty()) continue;
    grown.push_back({name, log.tree.head(), std::exchange(log.growth, {})});
  }
  taken_entries_ = unwritten_entries + std::exchange(grown_entries_, 0);
  return grown;
}

std::vector<GrownLog> Ledger::unsigned_logs(std::span<const audit::Checkpoint> last_signed) const {
  std::map<std::string, std::uint64_t, std::less<>> signed_sizes;
  for (const audit::Checkpoint& checkpoint : last_signed) {
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

std::map<std::string, std::uint64_t> Ledger::log_sizes() const {
  std::map<std::string, std::uint64_t> sizes;
  for (const auto& [name, log] : logs_.all()) sizes.emplace(name, log.tree.size());
  return sizes;
}

Ledger::Writer& Ledger::writer_of(std::string_view instance) {
  const auto found = writers_.find(instance);
  if (found != writers_.end()) return found->second;
  return writers_.emplace(std::string(instance), Writer{}).first->second;
}

}  // namespace strongroom::auditd

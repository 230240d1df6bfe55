// Checkpoints.
#include "auditd/checkpoints.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/lines.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::Checkpoint;

namespace {

constexpr Error kContradiction{ErrorCode::conflict,
                               "checkpoint contradicts one that was signed before"};
constexpr Error kNotSynced{ErrorCode::unavailable,
                           "files of the audit trees could not be synced in this run"};
constexpr std::size_t kSyncedBytesMax = std::size_t{256} << 20;

std::string synced_path(const std::string& directory) {
  return fmt::format("{}/{}/synced", directory, audit::kCheckpointFolder);
}

}  // namespace

Checkpoints::Checkpoints(audit::Files& files, std::string directory, std::string place,
                         crypto::Ed25519Signer signer)
    : files_(&files),
      trees_(files, directory),
      directory_(std::move(directory)),
      place_(std::move(place)),
      signer_(std::move(signer)) {}

Result<Checkpoints> Checkpoints::open(audit::Files& files, std::string directory, std::string place,
                                      crypto::Ed25519Signer signer) {
  SR_CHECK_OK(files.make_folder(fmt::format("{}/{}", directory, audit::kCheckpointFolder)));
  SR_TRY(const auto recorded, audit::read_last_signed(files, directory));
  Checkpoints checkpoints(files, std::move(directory), std::move(place), std::move(signer));
  // Before the journal is begun: from then on a record that is gone was taken away.
  if (recorded.empty()) SR_CHECK_OK(checkpoints.write_record({}));
  for (const Checkpoint& checkpoint : recorded) {
    checkpoints.last_.emplace(checkpoint.origin, checkpoint);
  }
  return checkpoints;
}

std::vector<Checkpoint> Checkpoints::last_signed() const {
  std::vector<Checkpoint> checkpoints;
  checkpoints.reserve(last_.size());
  for (const auto& [origin, checkpoint] : last_) checkpoints.push_back(checkpoint);
  return checkpoints;
}

Result<void> Checkpoints::write_record(const std::map<std::string, Checkpoint>& record) {
  std::vector<Checkpoint> checkpoints;
  checkpoints.reserve(record.size());
  for (const auto& [origin, checkpoint] : record) checkpoints.push_back(checkpoint);
  return files_->replace(fmt::format("{}/{}", directory_, audit::kLastSignedName),
                         as_bytes(audit::last_signed_text(checkpoints)));
}

Result<Checkpoint> Checkpoints::checkpoint_of(const GrownLog& log) const {
  Checkpoint checkpoint{audit::log_origin(place_, log.name), log.head.size, log.head.root};
  const auto last = last_.find(checkpoint.origin);
  if (last == last_.end() || checkpoint.size > last->second.size || checkpoint == last->second) {
    return checkpoint;
  }
  return fail(kContradiction);
}

Result<void> Checkpoints::publish(std::vector<GrownLog>& grown) {
  std::vector<Checkpoint> checkpoints;
  checkpoints.reserve(grown.size());
  for (const GrownLog& log : grown) {
    SR_TRY(Checkpoint checkpoint, checkpoint_of(log));
    checkpoints.push_back(std::move(checkpoint));
  }
  Result<void> outcome;
  auto record = last_;
  for (std::size_t i = 0; i < grown.size(); ++i) {
    const Result<void> written = trees_.write(grown[i].name, grown[i].growth);
    if (outcome && !written) outcome = written;
    if (!written) continue;
    grown[i].growth = {};
    record.insert_or_assign(checkpoints[i].origin, checkpoints[i]);
  }
  SR_CHECK_OK(write_record(record));
  last_ = std::move(record);
  std::vector<GrownLog> left;
  for (std::size_t i = 0; i < grown.size(); ++i) {
    Result<void> appended;
    if (grown[i].growth.empty()) appended = append(grown[i].name, checkpoints[i]);
    if (outcome && !appended) outcome = appended;
    if (!grown[i].growth.empty() || !appended) left.push_back(std::move(grown[i]));
  }
  grown = std::move(left);
  return outcome;
}

Result<void> Checkpoints::sync() {
  if (sync_has_failed_) return fail(kNotSynced);
  const Result<void> synced = files_->sync_all(directory_);
  sync_has_failed_ = !synced;
  return synced;
}

Result<void> Checkpoints::keep(const audit::Snapshot& snapshot) {
  SR_CHECK_OK(sync());
  std::string ends;
  for (const auto& [log, end] : ends_)
    fmt::format_to(std::back_inserter(ends), "{} {}\n", end, log);
  SR_CHECK_OK(files_->replace(synced_path(directory_), as_bytes(ends)));
  return files_->replace(fmt::format("{}/{}", directory_, audit::kSnapshotName),
                         audit::encode_snapshot(snapshot, signer_));
}

// A checkpoint is not synced: what a power loss takes is signed again, for the log has not become
// smaller.
Result<void> Checkpoints::append(const std::string& log_name, const Checkpoint& checkpoint) {
  const std::string path = audit::checkpoint_path(directory_, log_name);
  auto file = files_->open(path, audit::OpenMode::write);
  if (!file && file.error().code() == ErrorCode::not_found) {
    file = files_->open(path, audit::OpenMode::create);
  }
  if (!file) return std::unexpected(file.error());
  SR_TRY(const std::uint64_t end, end_of(**file, log_name));
  const std::string note = audit::sign_checkpoint(checkpoint, signer_);
  SR_CHECK_OK((*file)->truncate(end));  // an earlier write may have failed half-way
  SR_CHECK_OK((*file)->write(end, as_bytes(note)));
  ends_.insert_or_assign(log_name, end + note.size());
  return {};
}

Result<std::uint64_t> Checkpoints::end_of(audit::File& file, const std::string& log_name) {
  if (const auto known = ends_.find(log_name); known != ends_.end()) return known->second;
  SR_TRY(const audit::LastNote last, audit::last_note(file));
  return last.end_bytes;
}

Result<Checkpoints::Mended> Checkpoints::mend() {
  SR_CHECK_OK(read_synced());
  SR_TRY(const auto logs, audit::list_checkpoint_logs(*files_, directory_));
  Mended mended;
  for (const std::string& log : logs) SR_CHECK_OK(mend_file(log, mended));
  return mended;
}

// Of what was not synced any part may be missing, in the middle too.
Result<void> Checkpoints::mend_file(const std::string& log_name, Mended& mended) {
  const std::string path = audit::checkpoint_path(directory_, log_name);
  const std::string origin = audit::log_origin(place_, log_name);
  SR_TRY(const auto file, files_->open(path, audit::OpenMode::write));
  SR_TRY(const std::uint64_t size, file->size());
  std::uint64_t& end = ends_[log_name];
  end = synced_[log_name] <= size ? synced_[log_name] : 0;
  SR_TRY(auto reader, audit::CheckpointReader::open(*files_, path, end));
  while (true) {
    SR_TRY(const auto note, reader.next());
    const auto checkpoint = audit::read_checkpoint(note.value_or(std::string_view()));
    if (!checkpoint || checkpoint->origin != origin) break;
    end = reader.end_bytes();
  }
  if (end < size) {
    SR_CHECK_OK(file->truncate(end));
    mended.recoveries.push_back(
        {fmt::format("{}/{}.log", audit::kCheckpointFolder, log_name), size, end});
  }
  SR_TRY(const audit::LastNote last, audit::last_note(*file));
  const auto checkpoint = audit::read_checkpoint(last.text);
  const auto signed_last = last_.find(origin);
  if (checkpoint && signed_last != last_.end() && *checkpoint == signed_last->second) {
    mended.published.push_back(*checkpoint);
  }
  return {};
}

// Without it, or with one that is damaged, all of every file is looked at.
Result<void> Checkpoints::read_synced() {
  const auto text = audit::read_text(*files_, synced_path(directory_), kSyncedBytesMax);
  if (!text && text.error().code() != ErrorCode::not_found) return std::unexpected(text.error());
  for (std::string_view rest = text ? *text : std::string_view(); !rest.empty();) {
    const std::string_view line = audit::take_line(rest);
    const std::size_t blank = line.find(' ');
    const auto end = audit::parse_decimal(line.substr(0, blank));
    if (end && blank != std::string_view::npos) synced_.emplace(line.substr(blank + 1), *end);
  }
  return {};
}

}  // namespace strongroom::auditd

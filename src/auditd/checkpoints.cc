// Checkpoints.
#include "auditd/checkpoints.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/logs.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::Checkpoint;

namespace {

constexpr Error kContradiction{ErrorCode::conflict,
                               "checkpoint contradicts one that was signed before"};

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

Result<void> Checkpoints::keep(const Snapshot& snapshot) {
  SR_CHECK_OK(files_->sync_all(directory_));
  return files_->replace(fmt::format("{}/{}", directory_, kSnapshotName),
                         encode_snapshot(snapshot));
}

// A checkpoint is not synced: what a crash takes is signed again, for the log has not become
// smaller.
Result<void> Checkpoints::append(const std::string& log_name, const Checkpoint& checkpoint) {
  const std::string path = audit::checkpoint_path(directory_, log_name);
  auto file = files_->open(path, audit::OpenMode::write);
  if (!file && file.error().code() == ErrorCode::not_found) {
    file = files_->open(path, audit::OpenMode::create);
  }
  if (!file) return std::unexpected(file.error());
  SR_TRY(const std::uint64_t end, end_of(**file, path));
  const std::string note = audit::sign_checkpoint(checkpoint, signer_);
  ends_.erase(path);  // until the write has succeeded, the end is not known
  SR_CHECK_OK((*file)->truncate(end));
  SR_CHECK_OK((*file)->write(end, as_bytes(note)));
  ends_.emplace(path, end + note.size());
  return {};
}

Result<std::uint64_t> Checkpoints::end_of(audit::File& file, const std::string& path) {
  if (const auto known = ends_.find(path); known != ends_.end()) return known->second;
  SR_TRY(const audit::LastNote last, audit::last_note(file));
  return last.end_bytes;
}

}  // namespace strongroom::auditd

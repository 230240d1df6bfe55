// Checkpoints.
#include "auditd/checkpoints.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "audit/logs.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::auditd {

using audit::Checkpoint;

namespace {

constexpr Error kContradiction{ErrorCode::conflict,
                               "checkpoint contradicts one that was signed before"};

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return {};
  return fail(Error{ErrorCode::unavailable, "cannot make the folder of checkpoints"}.with_detail(
      static_cast<std::uint32_t>(errno)));
}

}  // namespace

Checkpoints::Checkpoints(audit::Files& files, std::string directory, std::string place,
                         crypto::Ed25519Signer signer)
    : files_(&files),
      directory_(std::move(directory)),
      place_(std::move(place)),
      signer_(std::move(signer)) {}

Result<Checkpoints> Checkpoints::open(audit::Files& files, std::string directory, std::string place,
                                      crypto::Ed25519Signer signer) {
  SR_CHECK_OK(make_folder(fmt::format("{}/{}", directory, audit::kCheckpointFolder)));
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

Result<void> Checkpoints::write_record(std::span<const Checkpoint> record) {
  return write_file_durable(fmt::format("{}/{}", directory_, audit::kLastSignedName),
                            as_bytes(audit::last_signed_text(record)), 0640);
}

Result<void> Checkpoints::publish(std::vector<Checkpoint>& grown) {
  auto next = last_;
  for (const Checkpoint& checkpoint : grown) {
    const auto [found, is_first] = next.emplace(checkpoint.origin, checkpoint);
    const Checkpoint& last = found->second;
    if (checkpoint.size < last.size ||
        (checkpoint.size == last.size && checkpoint.root != last.root)) {
      return fail(kContradiction);
    }
    found->second = checkpoint;
  }
  std::vector<Checkpoint> record;
  record.reserve(next.size());
  for (const auto& [origin, checkpoint] : next) record.push_back(checkpoint);
  SR_CHECK_OK(write_record(record));
  last_ = std::move(next);
  Result<void> outcome;
  std::erase_if(grown, [&](const Checkpoint& checkpoint) {
    const Result<void> appended = append(checkpoint);
    if (outcome && !appended) outcome = appended;
    return appended.has_value();
  });
  return outcome;
}

// A checkpoint is not synced: what a crash takes is signed again, for the log has not become
// smaller.
Result<void> Checkpoints::append(const Checkpoint& checkpoint) {
  SR_TRY(const std::string name, audit::name_of_origin(place_, checkpoint.origin));
  const std::string path = audit::checkpoint_path(directory_, name);
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
  SR_TRY(const std::uint64_t size, file.size());
  const std::uint64_t start = size - std::min<std::uint64_t>(size, 2 * audit::kNoteBytesMax);
  std::string tail(size - start, '\0');
  SR_TRY(const std::size_t got, file.read(start, std::as_writable_bytes(std::span(tail))));
  tail.resize(got);
  for (std::size_t at = tail.size(); at > 0;) {
    const std::size_t split = tail.rfind("\n\n", at - 1);
    if (split == std::string::npos) break;
    const auto whole = audit::note_size(std::string_view(tail).substr(split), false);
    if (whole) return start + split + *whole;
    at = split;
  }
  if (start == 0) return std::uint64_t{0};
  return fail({ErrorCode::corrupt, "file of checkpoints ends in something else"});
}

}  // namespace strongroom::auditd

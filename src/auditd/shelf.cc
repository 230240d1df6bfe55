// Shelf. Whatever is removed has been made durable elsewhere before, and a crash between two steps
// leaves more files than are needed, never fewer.
#include "auditd/shelf.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/archive_evidence.h"
#include "audit/journal_reader.h"
#include "audit/snapshot.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr Error kOther{ErrorCode::corrupt, "archive is not the one that the log names"};
constexpr Error kDiffers{ErrorCode::corrupt, "archive does not hold what was sealed"};
constexpr Error kStillNeeded{ErrorCode::conflict, "a start would still need the segment"};

}  // namespace

std::string Shelf::folder(std::string_view name) const {
  return fmt::format("{}/{}", directory_, name);
}

// The first entry tells without much reading which segments are worth a look.
Result<std::vector<audit::SegmentFacts>> Shelf::due(std::int64_t before_ms) {
  SR_TRY(const auto closed, audit::closed_segments(files_, directory_));
  std::vector<audit::SegmentFacts> due;
  for (const audit::ClosedSegment& segment : closed) {
    SR_TRY(const std::int64_t first_ms,
           audit::segment_time_ms(files_, directory_, segment.first_sequence));
    if (first_ms > before_ms) break;
    SR_TRY(const auto facts, audit::read_segment(files_, directory_, segment));
    if (facts.newest_ms > before_ms) break;
    due.push_back(facts);
  }
  return due;
}

Result<bool> Shelf::has(std::uint64_t first_sequence, const crypto::Sha256Digest& sha256) {
  const auto found = audit::hash_file(files_, audit::archive_path(directory_, first_sequence));
  if (!found && found.error().code() == ErrorCode::not_found) return false;
  if (!found) return std::unexpected(found.error());
  return *found == sha256;
}

Result<crypto::Sha256Digest> Shelf::seal(const audit::SegmentFacts& segment,
                                         std::int64_t locked_until_ms) {
  SR_TRY(const auto parts, audit::parts_in_segment(files_, directory_, segment.first_sequence));
  SR_CHECK_OK(audit::check_parts(files_, directory_, parts,
                                 segment.last_sequence - segment.first_sequence + 1));
  SR_TRY(const std::string evidence,
         audit::make_evidence(files_, directory_, parts, segment.first_sequence));
  const audit::ArchiveHeader header{.segment = segment, .locked_until_ms = locked_until_ms};
  SR_TRY(const crypto::Sha256Digest sha256,
         audit::write_archive(files_, directory_, header, evidence, key_, random_));
  const std::string path = audit::archive_path(directory_, segment.first_sequence);
  SR_TRY(const bool written, has(segment.first_sequence, sha256));
  SR_TRY(auto archive, audit::ArchiveReader::open(files_, path, key_));
  while (true) {
    SR_TRY(const auto piece, archive.next());
    if (piece.empty()) break;
  }
  const bool same = written && archive.header() == header && archive.evidence() == evidence;
  return same ? Result<crypto::Sha256Digest>(sha256) : fail(kDiffers);
}

Result<void> Shelf::remove_segment(const audit::SegmentFacts& segment,
                                   const crypto::Sha256Digest& sha256) {
  SR_TRY(const bool kept, has(segment.first_sequence, sha256));
  if (!kept) return fail(kOther);
  SR_TRY(const std::string bytes,
         audit::read_text(files_, folder(audit::kSnapshotName), audit::kSnapshotBytesMax));
  SR_TRY(const audit::Snapshot snapshot, audit::parse_snapshot(as_bytes(bytes)));
  if (snapshot.last_frame.segment_first_sequence <= segment.last_sequence ||
      !snapshot.archives.contains(segment.first_sequence)) {
    return fail(kStillNeeded);
  }
  files_.close_for_good(audit::archive_path(directory_, segment.first_sequence));
  return remove_durably(directory_, audit::segment_name(segment.first_sequence));
}

Result<Shelf::Item> Shelf::item(std::uint64_t first_sequence) {
  const std::string path = audit::archive_path(directory_, first_sequence);
  Item item;
  SR_TRY(item.header, audit::read_archive_header(files_, path));
  SR_TRY(const auto file, files_.open(path, audit::OpenMode::read));
  SR_TRY(item.size_bytes, file->size());
  return item;
}

Result<void> Shelf::can_restore(std::uint64_t first_sequence, const crypto::Sha256Digest& sha256) {
  if (files_.open(folder(audit::segment_name(first_sequence)), audit::OpenMode::read)) {
    return fail({ErrorCode::conflict, "the segment is at hand"});
  }
  SR_TRY(const bool named, has(first_sequence, sha256));
  return named ? Result<void>{} : fail(kOther);
}

Result<void> Shelf::restore(std::uint64_t first_sequence, const crypto::Sha256Digest& sha256) {
  SR_CHECK_OK(can_restore(first_sequence, sha256));
  const std::string name = audit::segment_name(first_sequence);
  SR_TRY(auto archive,
         audit::ArchiveReader::open(files_, audit::archive_path(directory_, first_sequence), key_));
  const std::string copies = folder(audit::kRestoredFolder);
  SR_CHECK_OK(files_.make_folder(copies));
  SR_CHECK_OK(remove_durably(copies, name));
  const audit::SegmentFacts& segment = archive.header().segment;
  Result<void> made = write_copy(archive, copies + "/" + name);
  if (made) {
    SR_TRY(const auto parts, audit::parts_in_segment(files_, directory_, first_sequence));
    made = audit::check_parts(files_, directory_, parts,
                              segment.last_sequence - segment.first_sequence + 1);
  }
  if (!made) SR_CHECK_OK(remove_durably(copies, name));
  if (made) files_.close_for_good(copies + "/" + name);
  return made;
}

Result<void> Shelf::write_copy(audit::ArchiveReader& archive, const std::string& path) {
  SR_TRY(const auto file, files_.open(path, audit::OpenMode::create));
  for (std::uint64_t at = 0;;) {
    SR_TRY(const auto piece, archive.next());
    if (piece.empty()) return file->sync();
    SR_CHECK_OK(file->write(at, piece));
    at += piece.size();
  }
}

// An archive that cannot be read tells nothing of its copy.
Result<bool> Shelf::is_cut(std::uint64_t first_sequence) {
  const auto whole = item(first_sequence);
  if (!whole) return false;
  const std::string name = audit::segment_name(first_sequence);
  SR_TRY(const auto copy,
         files_.open(folder(audit::kRestoredFolder) + "/" + name, audit::OpenMode::read));
  SR_TRY(const std::uint64_t size_bytes, copy->size());
  return size_bytes != whole->header.segment.size_bytes;
}

Result<void> Shelf::remove_leftovers(const audit::ArchiveRecords& records, std::int64_t now_ms) {
  for (const auto& [first_sequence, record] : records) {
    if (record.disposed) SR_CHECK_OK(remove(first_sequence));
  }
  const std::string copies = folder(audit::kRestoredFolder);
  const auto there = files_.list_folders(copies);
  if (!there && there.error().code() == ErrorCode::not_found) return {};
  SR_TRY(const auto names, audit::list_segments(files_, copies));
  for (const std::string& name : names) {
    const auto known = std::ranges::find_if(
        records, [&](const auto& record) { return audit::segment_name(record.first) == name; });
    bool wanted = known != records.end() && known->second.restored_until_ms > now_ms;
    if (wanted) {
      SR_TRY(const bool cut, is_cut(known->first));
      wanted = !cut;
    }
    if (!wanted) SR_CHECK_OK(remove_durably(copies, name));
  }
  return {};
}

Result<void> Shelf::remove(std::uint64_t first_sequence) {
  SR_CHECK_OK(remove_durably(folder(audit::kArchiveFolder), audit::archive_name(first_sequence)));
  return remove_durably(folder(audit::kRestoredFolder), audit::segment_name(first_sequence));
}

Result<void> Shelf::remove_durably(const std::string& folder, const std::string& name) {
  const auto removed = audit::remove_immutable(files_, folder + "/" + name);
  if (!removed && removed.error().code() == ErrorCode::not_found) return {};
  SR_CHECK_OK(removed);
  return files_.sync_directory(folder);
}

}  // namespace strongroom::auditd

// Shelf: the archives of DIR/audit and the copies that were restored from them, as files. What the
// log says of them is the caller's business (archivist.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/archive.h"
#include "audit/archive_records.h"
#include "audit/files.h"
#include "audit/segment.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/random.h"

namespace strongroom::auditd {

// One thread at a time; every call may wait for the disk.
class Shelf {
 public:
  // `files` and `random` outlive it; `directory` is DIR/audit; `key` is `audit-archive`.
  Shelf(audit::Files& files, crypto::Random& random, std::string directory, crypto::Aead key)
      : files_(files), random_(random), directory_(std::move(directory)), key_(std::move(key)) {}

  // The closed segments whose entries are all older than `before_ms`, oldest first. corrupt,
  // unavailable.
  [[nodiscard]] Result<std::vector<audit::SegmentFacts>> due(std::int64_t before_ms);
  // Whether the segment's archive is there and is the file that the log names.
  [[nodiscard]] Result<bool> has(std::uint64_t first_sequence, const crypto::Sha256Digest& sha256);
  // Checks the segment against the trees, writes its archive, durable, opens that again and
  // compares it with the segment; gives the file's SHA-256. corrupt, unavailable.
  [[nodiscard]] Result<crypto::Sha256Digest> seal(const audit::SegmentFacts& segment,
                                                  std::int64_t locked_until_ms);
  // Removes a segment from the journal. conflict: its archive is not the one that is named, or the
  // snapshot that is on the disk would not spare a start this segment.
  [[nodiscard]] Result<void> remove_segment(const audit::SegmentFacts& segment,
                                            const crypto::Sha256Digest& sha256);

  // What an archive's header says, and its size. not_found, corrupt, unavailable.
  struct Item {
    audit::ArchiveHeader header;
    std::uint64_t size_bytes = 0;
  };
  [[nodiscard]] Result<Item> item(std::uint64_t first_sequence);
  // Whether restore() would find the archive that the log names, and a segment that is not at hand.
  // Its errors.
  [[nodiscard]] Result<void> can_restore(std::uint64_t first_sequence,
                                         const crypto::Sha256Digest& sha256);
  // Puts a copy of the segment where LogReader finds it, once all of its entries are what the trees
  // say. corrupt: the archive is not the file that the log names, or holds something else;
  // conflict: the segment itself is at hand; unavailable.
  [[nodiscard]] Result<void> restore(std::uint64_t first_sequence,
                                     const crypto::Sha256Digest& sha256);
  // Removes the copies whose time is over at `now_ms`, those that the log does not know or that a
  // crash has cut, and what it has left of archives that were disposed of.
  [[nodiscard]] Result<void> remove_leftovers(const audit::ArchiveRecords& records,
                                              std::int64_t now_ms);
  // Removes the archive and its copy; neither need be there.
  [[nodiscard]] Result<void> remove(std::uint64_t first_sequence);

 private:
  std::string folder(std::string_view name) const;
  Result<void> write_copy(audit::ArchiveReader& archive, const std::string& path);
  Result<bool> is_cut(std::uint64_t first_sequence);  // its copy
  Result<void> remove_durably(const std::string& folder, const std::string& name);

  audit::Files& files_;
  crypto::Random& random_;
  std::string directory_;
  crypto::Aead key_;
};

}  // namespace strongroom::auditd

// Journal: the one writer's side of the audit log's files. Entries are staged and committed in
// groups; a commit is one write and one fdatasync. docs/formats/journal.md gives the files byte by
// byte.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/frame.h"
#include "audit/journal_reader.h"
#include "base/result.h"

namespace strongroom::audit {

struct JournalOptions {
  std::string directory;
  std::uint64_t segment_bytes_max = std::uint64_t{64} << 20;  // a group never spans two segments
  // Zeros written ahead of the entries, so that fdatasync need not write the file's new size each
  // time.
  std::uint64_t zero_ahead_bytes = std::uint64_t{2} << 20;
};

// What was cut off a file: the end of a write that a crash interrupted and nobody was told of.
struct Recovery {
  std::string file;
  std::uint64_t old_size_bytes = 0;
  std::uint64_t new_size_bytes = 0;
};

// One thread. The caller holds the folder's lock.
class Journal {
 public:
  // Goes on where `read_to_end` stopped: its next() gave the end, or corrupt with torn() set, whose
  // remains are cut off. Makes the first segment of an empty journal. `files` outlives the journal.
  // unavailable.
  [[nodiscard]] static Result<std::unique_ptr<Journal>> resume(Files& files, JournalOptions options,
                                                               const JournalReader& read_to_end);

  // Adds an entry to the next group. REQUIRES: not failed(); 0 < size <= kEntryBytesMax.
  void stage(std::string_view entry);
  [[nodiscard]] std::size_t staged() const noexcept { return frames_.size(); }
  // Makes the group durable: all of it or, as far as the caller may tell anyone, nothing. After an
  // error (unavailable) the journal has failed() and holds none of the group.
  // The group begins a segment when it has no room in the last one, or `in_new_segment`.
  [[nodiscard]] Result<void> commit(bool in_new_segment = false);
  // 0x00 and the i-th entry of the last committed group; valid until the next stage().
  [[nodiscard]] std::span<const std::byte> leaf_input(std::size_t i) const noexcept;
  // Where it stands.
  [[nodiscard]] FramePlace frame_place(std::size_t i) const noexcept;

  // True after a failed commit: a failed fdatasync says nothing about what it was to write, and the
  // next one would not say it again. Nothing is staged before recover() has succeeded.
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  // Opens the segment anew, reads all of it, cuts what was not acknowledged and makes that durable;
  // a next segment that could not be begun is removed.
  // unavailable: try later; corrupt: entries that were acknowledged are gone.
  [[nodiscard]] Result<void> recover();

  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return durable_.sequence; }
  // Where the next group goes, unless it begins a segment.
  [[nodiscard]] const JournalPlace& place() const noexcept { return durable_; }
  [[nodiscard]] std::uint64_t segment_first_sequence() const noexcept {
    return segment_first_sequence_;
  }
  [[nodiscard]] const std::optional<Recovery>& recovery() const noexcept { return recovery_; }

 private:
  Journal(Files& files, JournalOptions options);
  Result<void> resume_at(const JournalReader& read_to_end);
  Result<void> start_segment();
  Result<void> remove_segment(const std::string& name);
  Result<void> write_group(bool in_new_segment);
  Result<void> write_zeros(std::uint64_t from, std::uint64_t to);
  Result<void> cut_to_durable();
  Result<void> check_segment();
  std::string path(const std::string& name) const;

  Files& files_;
  JournalOptions options_;
  std::unique_ptr<File> file_;
  std::uint64_t segment_first_sequence_ = 1;
  JournalPlace durable_;             // behind the last acknowledged frame
  std::uint64_t zeroed_bytes_ = 0;   // the file's length, all zero behind durable_
  std::vector<std::byte> group_;     // frames, as they go to the file
  std::vector<std::size_t> frames_;  // their offsets in group_
  bool committed_ = false;           // group_ is a committed one, kept for leaf_input()
  bool failed_ = false;
  std::optional<Recovery> recovery_;
};

}  // namespace strongroom::audit

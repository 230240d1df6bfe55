// JournalReader streams a journal from its first entry to its end and names the first bad place. It
// writes nothing, so it may read beside a running auditd.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/frame.h"
#include "audit/merkle.h"
#include "base/result.h"

namespace strongroom::audit {

// journal-00000000000000000001.log
[[nodiscard]] std::string segment_name(std::uint64_t first_sequence);
// The first sequence in such a name; nullopt for any other.
[[nodiscard]] std::optional<std::uint64_t> sequence_of_segment(std::string_view name);
// The segments in `directory`, ascending; other files there are none of the journal's.
[[nodiscard]] Result<std::vector<std::string>> list_segments(Files& files,
                                                             const std::string& directory);

// Where reading stands: the file's name, and offset and sequence of the next frame.
struct JournalPlace {
  std::string file;
  std::uint64_t offset_bytes = 0;
  std::uint64_t sequence = 1;
};

class JournalReader {
 public:
  // Reads nothing yet. `files` outlives the reader. unavailable.
  [[nodiscard]] static Result<JournalReader> open(Files& files, std::string directory);

  // Begins with the segment of this first sequence. REQUIRES: nothing was read yet. corrupt: the
  // journal does not have it.
  [[nodiscard]] Result<void> start_at_segment(std::uint64_t first_sequence);
  // Begins with the oldest segment that is there: the ones before may be in archives. REQUIRES:
  // nothing was read yet. corrupt.
  [[nodiscard]] Result<void> start_at_oldest();
  // Goes on behind the entry that was read at `place` before, whose leaf hash is `leaf`. REQUIRES:
  // nothing was read yet. corrupt: the journal does not have it there; unavailable.
  [[nodiscard]] Result<void> start_behind(const FramePlace& place, std::uint64_t sequence,
                                          const Hash& leaf);

  // The next frame, valid until the next call; nullopt at the end, which is the end of the last
  // segment's file or the zeros written ahead there. Beside a writer, a later call may find more,
  // and after corrupt with torn() set it may find whole what was being written. corrupt: place() is
  // the first bad one; torn() says whether it may be the end of an unfinished write. unavailable.
  [[nodiscard]] Result<std::optional<FrameView>> next();

  [[nodiscard]] const JournalPlace& place() const noexcept { return place_; }
  // Where the frame that next() gave last stands.
  [[nodiscard]] FramePlace frame_place() const noexcept { return frame_place_; }
  // After corrupt: true when nothing durable stood at or behind the bad place.
  [[nodiscard]] bool torn() const noexcept { return torn_; }
  // After corrupt: the end of what is not zero in the bad segment.
  [[nodiscard]] std::uint64_t dirty_end_bytes() const noexcept { return dirty_end_bytes_; }
  // First sequence of the segment in place().
  [[nodiscard]] std::uint64_t segment_first_sequence() const noexcept {
    return segment_first_sequence_;
  }
  [[nodiscard]] std::size_t segments_opened() const noexcept { return next_segment_; }
  // Bytes of frames and headers read so far, and those in all files; for progress bars.
  [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  [[nodiscard]] std::uint64_t bytes_total() const noexcept { return bytes_total_; }

 private:
  JournalReader(Files& files, std::string directory);
  Result<bool> find_segment();
  Result<void> open_segment();
  Result<void> read_header();
  void forget_window() noexcept;
  Result<void> fill();
  Result<std::vector<std::byte>> rest_of_segment();
  std::unexpected<Error> bad(std::span<const std::byte> rest, std::uint64_t sequence);

  Files* files_;
  std::string directory_;
  std::vector<std::string> segments_;
  std::size_t next_segment_ = 0;
  std::unique_ptr<File> file_;
  std::uint64_t segment_first_sequence_ = 1;
  JournalPlace place_;
  FramePlace frame_place_;
  std::vector<std::byte> buffer_;  // a window on the file; from taken_ on it is not yet delivered
  std::size_t taken_ = 0;
  bool at_file_end_ = false;
  bool torn_ = false;
  std::uint64_t dirty_end_bytes_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace strongroom::audit

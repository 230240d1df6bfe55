// Journal. The order of writes and syncs follows Rebello et al., "Can Applications Recover from
// fsync Failures?" (USENIX ATC 2020): after a failed sync the page cache may show data that the
// disk lacks.
#include "audit/journal.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kZeroChunkBytes = std::size_t{64} << 10;
constexpr Error kLost{ErrorCode::corrupt, "acknowledged entries are no longer in the journal"};

}  // namespace

Journal::Journal(Files& files, JournalOptions options)
    : files_(files), options_(std::move(options)) {}

std::string Journal::path(const std::string& name) const { return options_.directory + "/" + name; }

Result<std::unique_ptr<Journal>> Journal::resume(Files& files, JournalOptions options,
                                                 const JournalReader& read_to_end) {
  std::unique_ptr<Journal> journal(new Journal(files, std::move(options)));
  SR_CHECK_OK(journal->resume_at(read_to_end));
  return journal;
}

Result<void> Journal::resume_at(const JournalReader& read_to_end) {
  durable_ = read_to_end.place();
  if (read_to_end.torn() && read_to_end.dirty_end_bytes() > durable_.offset_bytes) {
    recovery_ = Recovery{durable_.file, read_to_end.dirty_end_bytes(), durable_.offset_bytes};
  }
  // No segment yet, or the crash came before the last one had its header.
  if (durable_.offset_bytes == 0) {
    if (!durable_.file.empty()) SR_CHECK_OK(remove_segment(durable_.file));
    return start_segment();
  }
  segment_first_sequence_ = read_to_end.segment_first_sequence();
  SR_TRY(file_, files_.open(path(durable_.file), OpenMode::write));
  return cut_to_durable();
}

void Journal::stage(std::string_view entry) {
  SR_CHECK(!failed_);
  if (committed_) {
    group_.clear();
    frames_.clear();
    committed_ = false;
  }
  frames_.push_back(group_.size());
  append_frame(group_, durable_.sequence + frames_.size() - 1, frames_.size() == 1,
               as_bytes(entry));
}

Result<void> Journal::commit(bool in_new_segment) {
  SR_CHECK(!failed_ && !committed_ && !frames_.empty());
  const Result<void> written = write_group(in_new_segment);
  failed_ = !written;
  if (failed_) {
    group_.clear();
    frames_.clear();
    return written;
  }
  durable_.offset_bytes += group_.size();
  durable_.sequence += frames_.size();
  committed_ = true;
  return {};
}

std::span<const std::byte> Journal::leaf_input(std::size_t i) const noexcept {
  SR_CHECK(committed_ && i < frames_.size());
  const std::size_t end = i + 1 < frames_.size() ? frames_[i + 1] : group_.size();
  const std::size_t start = frames_[i] + kFrameHeaderBytes - 1;
  return std::span(group_).subspan(start, end - start);
}

FramePlace Journal::frame_place(std::size_t i) const noexcept {
  SR_CHECK(committed_ && i < frames_.size());
  const std::uint64_t group_start = durable_.offset_bytes - group_.size();
  return {segment_first_sequence_, static_cast<std::uint32_t>(group_start + frames_[i])};
}

Result<void> Journal::write_group(bool in_new_segment) {
  const bool no_room = durable_.offset_bytes + group_.size() > options_.segment_bytes_max;
  if ((no_room || in_new_segment) && durable_.offset_bytes > kSegmentHeaderBytes) {
    SR_CHECK_OK(start_segment());
  }
  const std::uint64_t end = durable_.offset_bytes + group_.size();
  if (end > zeroed_bytes_) {
    const std::uint64_t ahead =
        std::max(end, std::min(end + options_.zero_ahead_bytes, options_.segment_bytes_max));
    SR_CHECK_OK(write_zeros(zeroed_bytes_, ahead));
  }
  SR_CHECK_OK(file_->write(durable_.offset_bytes, group_));
  return file_->sync();
}

Result<void> Journal::write_zeros(std::uint64_t from, std::uint64_t to) {
  static constexpr std::array<std::byte, kZeroChunkBytes> kZeros{};
  for (std::uint64_t at = from; at < to; at += kZeros.size()) {
    const std::uint64_t size = std::min<std::uint64_t>(kZeros.size(), to - at);
    SR_CHECK_OK(file_->write(at, std::span(kZeros).first(size)));
  }
  zeroed_bytes_ = to;
  return {};
}

// A segment is durable, header and name, before the first frame goes into it.
Result<void> Journal::start_segment() {
  const std::string name = segment_name(durable_.sequence);
  SR_TRY(std::unique_ptr<File> segment, files_.open(path(name), OpenMode::create));
  SR_CHECK_OK(segment->write(0, segment_header(durable_.sequence)));
  SR_CHECK_OK(segment->sync());
  SR_CHECK_OK(files_.sync_directory(options_.directory));
  // The zeros behind the old segment's last frame are given back, and the segment is closed for
  // good. Nothing depends on it, and auditd's start makes up for what was missed.
  if (file_) {
    (void)file_->truncate(durable_.offset_bytes);
    files_.close_for_good(path(durable_.file));
  }
  file_ = std::move(segment);
  segment_first_sequence_ = durable_.sequence;
  durable_.file = name;
  durable_.offset_bytes = kSegmentHeaderBytes;
  zeroed_bytes_ = kSegmentHeaderBytes;
  return {};
}

// Removes what a start_segment() that did not succeed has left; no frame was ever in it.
Result<void> Journal::remove_segment(const std::string& name) {
  const auto removed = files_.remove(path(name));
  if (!removed && removed.error().code() != ErrorCode::not_found) return removed;
  return files_.sync_directory(options_.directory);
}

// The segment that could not be begun is removed before the next group: that one may still fit the
// segment before, and then a segment of this name would never be the next one.
Result<void> Journal::recover() {
  SR_CHECK(failed_);
  const std::string next = segment_name(durable_.sequence);
  if (next != durable_.file) SR_CHECK_OK(remove_segment(next));
  SR_TRY(file_, files_.open(path(durable_.file), OpenMode::write));
  SR_CHECK_OK(check_segment());
  SR_CHECK_OK(cut_to_durable());
  failed_ = false;
  return {};
}

// The block that the last frame shares with what is cut is written again, whole, with the next
// group.
Result<void> Journal::cut_to_durable() {
  SR_CHECK_OK(file_->truncate(durable_.offset_bytes));
  zeroed_bytes_ = durable_.offset_bytes;
  return file_->sync();
}

Result<void> Journal::check_segment() {
  std::vector<std::byte> content(durable_.offset_bytes);
  SR_TRY(const std::size_t got, file_->read(0, content));
  if (got != content.size() || parse_segment_header(content) != segment_first_sequence_) {
    return fail(kLost);
  }
  std::uint64_t sequence = segment_first_sequence_;
  for (std::span<const std::byte> rest = std::span(content).subspan(kSegmentHeaderBytes);
       !rest.empty(); ++sequence) {
    const auto frame = parse_frame(rest);
    if (!frame || frame->sequence != sequence) return fail(kLost);
    rest = rest.subspan(frame->size_bytes);
  }
  return sequence == durable_.sequence ? Result<void>{} : fail(kLost);
}

}  // namespace strongroom::audit

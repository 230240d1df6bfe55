// JournalReader: a window over one segment after the other.
#include "audit/journal_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 20;
constexpr std::string_view kPrefix = "journal-", kSuffix = ".log";
constexpr std::size_t kDigits = 20;

}  // namespace

std::string segment_name(std::uint64_t first_sequence) {
  return fmt::format("{}{:020}{}", kPrefix, first_sequence, kSuffix);
}

std::optional<std::uint64_t> sequence_of_segment(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size()) return std::nullopt;
  const char* const digits = name.data() + kPrefix.size();
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(digits, digits + kDigits, sequence);
  if (error != std::errc{} || name != segment_name(sequence)) return std::nullopt;
  return sequence;
}

Result<std::vector<std::string>> list_segments(Files& files, const std::string& directory) {
  SR_TRY(std::vector<std::string> names, files.list(directory));
  std::erase_if(names, [](const std::string& name) {
    return name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) ||
           !name.ends_with(kSuffix);
  });
  return names;
}

JournalReader::JournalReader(Files& files, std::string directory)
    : files_(&files), directory_(std::move(directory)) {}

Result<JournalReader> JournalReader::open(Files& files, std::string directory) {
  JournalReader reader(files, std::move(directory));
  SR_TRY(reader.segments_, list_segments(files, reader.directory_));
  for (const std::string& name : reader.segments_) {
    SR_TRY(const auto file, files.open(reader.directory_ + "/" + name, OpenMode::read));
    SR_TRY(const std::uint64_t size, file->size());
    reader.bytes_total_ += size;
  }
  return reader;
}

Result<void> JournalReader::start_at_segment(std::uint64_t first_sequence) {
  SR_CHECK(!file_ && place_.offset_bytes == 0);
  const auto found = std::ranges::find(segments_, segment_name(first_sequence));
  if (found == segments_.end()) {
    return fail({ErrorCode::corrupt, "journal does not have this segment"});
  }
  place_.sequence = first_sequence;
  next_segment_ = static_cast<std::size_t>(found - segments_.begin());
  return {};
}

Result<void> JournalReader::start_at_oldest() {
  if (segments_.empty()) return {};
  const auto oldest = sequence_of_segment(segments_.front());
  if (!oldest) return fail({ErrorCode::corrupt, "journal has a segment without a sequence"});
  return start_at_segment(*oldest);
}

Result<void> JournalReader::start_behind(const FramePlace& place, std::uint64_t sequence,
                                         const Hash& leaf) {
  constexpr Error kNoSuchEntry{ErrorCode::corrupt, "journal does not have this entry"};
  if (place.offset_bytes < kSegmentHeaderBytes) return fail(kNoSuchEntry);
  SR_CHECK_OK(start_at_segment(place.segment_first_sequence));
  SR_CHECK_OK(open_segment());
  SR_CHECK_OK(read_header());
  forget_window();
  place_.offset_bytes = place.offset_bytes;
  place_.sequence = sequence;
  SR_CHECK_OK(fill());
  const auto frame = parse_frame(buffer_);
  if (!frame || frame->sequence != sequence || leaf_hash_of_input(frame->leaf_input) != leaf) {
    return fail(kNoSuchEntry);
  }
  frame_place_ = place;
  taken_ = frame->size_bytes;
  place_.offset_bytes += frame->size_bytes;
  ++place_.sequence;
  return {};
}

Result<std::optional<FrameView>> JournalReader::next() {
  bool fresh = false;  // the window was read after the last frame that was delivered
  while (true) {
    if (!file_) {
      SR_TRY(const bool there_is_one, find_segment());
      if (!there_is_one) return std::nullopt;
      SR_CHECK_OK(open_segment());
    }
    if (place_.offset_bytes == 0) SR_CHECK_OK(read_header());
    SR_CHECK_OK(fill());
    if (const auto frame = parse_frame(std::span(buffer_).subspan(taken_));
        frame && frame->sequence == place_.sequence) {
      frame_place_ = {segment_first_sequence_, static_cast<std::uint32_t>(place_.offset_bytes)};
      taken_ += frame->size_bytes;
      place_.offset_bytes += frame->size_bytes;
      bytes_read_ += frame->size_bytes;
      ++place_.sequence;
      return frame;
    }
    if (!std::exchange(fresh, true)) {
      forget_window();  // a writer may have gone on since it was read
      continue;
    }
    SR_TRY(const std::vector<std::byte> rest, rest_of_segment());
    if (!all_zero(rest)) return bad(rest, place_.sequence);
    SR_TRY(const bool more, find_segment());
    if (!more) return std::nullopt;
    file_.reset();
    fresh = false;
  }
}

// Whether there is a segment behind the one being read; a writer may have begun it meanwhile.
Result<bool> JournalReader::find_segment() {
  if (next_segment_ == segments_.size()) {
    SR_TRY(segments_, list_segments(*files_, directory_));
  }
  return next_segment_ < segments_.size();
}

Result<void> JournalReader::open_segment() {
  const std::string& name = segments_[next_segment_];
  SR_TRY(file_, files_->open(directory_ + "/" + name, OpenMode::read));
  ++next_segment_;
  place_.file = name;
  place_.offset_bytes = 0;
  segment_first_sequence_ = place_.sequence;
  return {};
}

// Nothing of a segment is read before its header is right; one that was torn may be whole by now.
Result<void> JournalReader::read_header() {
  forget_window();
  SR_CHECK_OK(fill());
  const auto first_sequence = parse_segment_header(buffer_);
  if (first_sequence != place_.sequence || place_.file != segment_name(place_.sequence)) {
    SR_TRY(const std::vector<std::byte> rest, rest_of_segment());
    auto error = bad(rest, place_.sequence - 1);  // its own first group makes a bad header damage
    torn_ = torn_ && !first_sequence;             // nor does a torn write leave a whole one
    return error;
  }
  taken_ = kSegmentHeaderBytes;
  place_.offset_bytes = kSegmentHeaderBytes;
  bytes_read_ += kSegmentHeaderBytes;
  return {};
}

void JournalReader::forget_window() noexcept {
  buffer_.clear();
  taken_ = 0;
  at_file_end_ = false;
}

// Has a whole frame in the window, or all that is left of the file.
Result<void> JournalReader::fill() {
  if (at_file_end_ || buffer_.size() - taken_ >= kFrameBytesMax) return {};
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  const std::size_t kept = buffer_.size();
  const std::uint64_t from = place_.offset_bytes + kept;
  SR_TRY(const std::uint64_t size, file_->size());
  const std::size_t wanted = std::min<std::size_t>(kWindowBytes, size - std::min(size, from));
  buffer_.resize(kept + wanted);
  SR_TRY(const std::size_t got, file_->read(from, std::span(buffer_).subspan(kept)));
  at_file_end_ = wanted < kWindowBytes || got < wanted;
  buffer_.resize(kept + got);
  return {};
}

// From place() to the end of the file, which is never longer than a segment and one group.
Result<std::vector<std::byte>> JournalReader::rest_of_segment() {
  SR_TRY(const std::uint64_t size, file_->size());
  std::vector<std::byte> rest(size - std::min(size, place_.offset_bytes));
  SR_TRY(const std::size_t got, file_->read(place_.offset_bytes, rest));
  rest.resize(got);
  return rest;
}

std::unexpected<Error> JournalReader::bad(std::span<const std::byte> rest, std::uint64_t sequence) {
  const auto last = std::ranges::find_if(rest.rbegin(), rest.rend(),
                                         [](std::byte byte) { return byte != std::byte{0}; });
  dirty_end_bytes_ = place_.offset_bytes + static_cast<std::uint64_t>(rest.rend() - last);
  torn_ = next_segment_ == segments_.size() && !holds_later_group(rest, sequence);
  return fail({ErrorCode::corrupt, "journal holds a damaged frame"});
}

}  // namespace strongroom::audit

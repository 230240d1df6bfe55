// Segment: counts and hashes of one file of the journal.
#include "audit/segment.h"

#include <algorithm>
#include <array>

#include "audit/entry_view.h"
#include "audit/frame.h"
#include "audit/journal_reader.h"
#include "audit/log_reader.h"
#include "audit/tree_files.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
constexpr Error kDamaged{ErrorCode::corrupt, "segment of the journal is damaged"};

Result<crypto::Sha256Digest> hash_of(File& file, std::uint64_t size) {
  std::vector<std::byte> block(kBlockBytes);
  crypto::Sha256 hash;
  for (std::uint64_t at = 0; at < size;) {
    const std::span<std::byte> wanted =
        std::span(block).first(std::min<std::uint64_t>(block.size(), size - at));
    SR_TRY(const std::size_t got, file.read(at, wanted));
    if (got == 0) return fail(kDamaged);
    hash.update(wanted.first(got));
    at += got;
  }
  return hash.finish();
}

// The first place in the file that is not before `segment`, in entries.
Result<std::uint64_t> first_place_from(File& places, std::uint64_t count, std::uint64_t segment) {
  std::uint64_t low = 0;
  std::uint64_t high = count;
  std::array<std::byte, kPlaceBytes> bytes;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    SR_TRY(const std::size_t got, places.read(middle * kPlaceBytes, bytes));
    if (got != bytes.size()) return fail(kDamaged);
    if (decode_places(bytes).front().segment_first_sequence < segment) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Result<std::vector<ClosedSegment>> closed_segments(Files& files, const std::string& directory) {
  SR_TRY(const std::vector<std::string> names, list_segments(files, directory));
  std::vector<ClosedSegment> closed;
  closed.reserve(names.size());
  std::uint64_t before = 0;
  for (const std::string& name : names) {
    const auto first = sequence_of_segment(name);
    if (!first) return fail(kDamaged);
    if (before != 0) closed.push_back({.first_sequence = before, .last_sequence = *first - 1});
    before = *first;
  }
  return closed;
}

Result<SegmentFacts> read_segment(Files& files, const std::string& directory,
                                  const ClosedSegment& segment) {
  SR_TRY(JournalReader reader, JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_segment(segment.first_sequence));
  SegmentFacts facts{.first_sequence = segment.first_sequence,
                     .last_sequence = segment.last_sequence};
  for (std::uint64_t sequence = segment.first_sequence; sequence <= segment.last_sequence;
       ++sequence) {
    SR_TRY(const auto frame, reader.next());
    if (!frame || reader.frame_place().segment_first_sequence != segment.first_sequence) {
      return fail(kDamaged);
    }
    const auto entry = read_entry(as_text(frame->entry));
    if (!entry) return fail(kDamaged);
    const bool first = sequence == segment.first_sequence;
    facts.oldest_ms = first ? entry->time_ms : std::min(facts.oldest_ms, entry->time_ms);
    facts.newest_ms = first ? entry->time_ms : std::max(facts.newest_ms, entry->time_ms);
  }
  facts.size_bytes = reader.place().offset_bytes;
  SR_TRY(const auto file,
         files.open(directory + "/" + segment_name(segment.first_sequence), OpenMode::read));
  SR_TRY(facts.sha256, hash_of(*file, facts.size_bytes));
  return facts;
}

Result<std::int64_t> segment_time_ms(Files& files, const std::string& directory,
                                     std::uint64_t first_sequence) {
  SR_TRY(const auto file,
         files.open(directory + "/" + segment_name(first_sequence), OpenMode::read));
  std::vector<std::byte> bytes(kFrameBytesMax);
  SR_TRY(const std::size_t got, file->read(kSegmentHeaderBytes, bytes));
  const auto frame = parse_frame(std::span(bytes).first(got));
  const auto entry = frame ? read_entry(as_text(frame->entry)) : Result<EntryView>(fail(kDamaged));
  if (!entry) return fail({ErrorCode::not_found, "segment has no entry"});
  return entry->time_ms;
}

Result<std::vector<LogPart>> parts_in_segment(Files& files, const std::string& directory,
                                              std::uint64_t first_sequence) {
  SR_TRY(const std::vector<std::string> names, list_logs(files, directory));
  std::vector<LogPart> parts;
  for (const std::string& name : names) {
    auto places = files.open(places_path(directory, name), OpenMode::read);
    if (!places && places.error().code() == ErrorCode::not_found) continue;
    if (!places) return std::unexpected(places.error());
    SR_TRY(const std::uint64_t size, (*places)->size());
    const std::uint64_t count = size / kPlaceBytes;
    SR_TRY(const std::uint64_t begin, first_place_from(**places, count, first_sequence));
    SR_TRY(const std::uint64_t end, first_place_from(**places, count, first_sequence + 1));
    if (begin < end) parts.push_back({.log_name = name, .begin = begin, .end = end});
  }
  return parts;
}

Result<void> check_parts(Files& files, const std::string& directory,
                         const std::vector<LogPart>& parts, std::uint64_t entries) {
  std::uint64_t seen = 0;
  for (const LogPart& part : parts) {
    SR_TRY(LogReader reader, LogReader::open(files, directory, part.log_name));
    for (std::uint64_t index = part.begin; index < part.end; ++index) {
      SR_CHECK_OK(reader.entry(index));
    }
    seen += part.end - part.begin;
  }
  if (seen != entries) return fail({ErrorCode::corrupt, "trees do not hold what is in a segment"});
  return {};
}

}  // namespace strongroom::audit

// LogReader.
#include "audit/log_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "audit/checkpoint_files.h"
#include "audit/entry_bundle.h"
#include "audit/frame.h"
#include "audit/journal_reader.h"
#include "audit/note.h"
#include "audit/segment.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kFrameBytesUsual = 2'048;  // read at once; most frames are whole in it
constexpr Error kNotThere{ErrorCode::not_found, "the log does not have this (yet)"};
constexpr Error kArchived{
    ErrorCode::gone, "the entry is in an archive: bring it back with strongroom audit restore"};
constexpr Error kDamaged{ErrorCode::corrupt, "the journal does not hold the entry of the tree"};

// No file holds more; so no offset overflows.
constexpr std::uint64_t kHashesMax = std::uint64_t{1} << 48U;

Result<std::uint64_t> first_hash(const TileId& tile) {
  if (tile.index >= kHashesMax / kTileWidth) return fail(kNotThere);
  return tile.index * kTileWidth;
}

// Opens `path` into `file` at its first use.
Result<void> open_once(Files& files, const std::string& path, std::unique_ptr<File>& file) {
  if (file) return {};
  SR_TRY(file, files.open(path, OpenMode::read));
  return {};
}

Result<void> read_all(File& file, std::uint64_t offset, std::span<std::byte> out) {
  SR_TRY(const std::size_t got, file.read(offset, out));
  return got == out.size() ? Result<void>{} : fail(kNotThere);
}

// In the journal, or where a copy of it was restored to. What is older than the journal's oldest
// segment has been archived, whatever has become of the archive.
Result<std::unique_ptr<File>> open_segment(Files& files, const std::string& directory,
                                           std::uint64_t first_sequence) {
  const std::string name = segment_name(first_sequence);
  for (const std::string& path : {fmt::format("{}/{}", directory, name),
                                  fmt::format("{}/{}/{}", directory, kRestoredFolder, name)}) {
    auto file = files.open(path, OpenMode::read);
    if (file || file.error().code() != ErrorCode::not_found) return file;
  }
  SR_TRY(const auto at_hand, list_segments(files, directory));
  return !at_hand.empty() && name < at_hand.front() ? fail(kArchived) : fail(kNotThere);
}

// The text that is signed, which both the log's and a cosigned note begin with.
std::string_view signed_text(std::string_view note) { return note.substr(0, note.find("\n\n")); }

}  // namespace

LogReader::LogReader(Files& files, std::string directory, std::string log_name)
    : files_(&files), directory_(std::move(directory)), log_name_(std::move(log_name)) {}

Result<LogReader> LogReader::open(Files& files, std::string directory, std::string log_name) {
  if (!is_log_name(log_name)) return fail({ErrorCode::not_found, "no such log"});
  LogReader reader(files, std::move(directory), std::move(log_name));
  SR_CHECK_OK(
      open_once(files, level_path(reader.directory_, reader.log_name_, 0), reader.levels_[0]));
  return reader;
}

Result<std::string> LogReader::newest_note() {
  SR_TRY(const auto file, files_->open(checkpoint_path(directory_, log_name_), OpenMode::read));
  SR_TRY(LastNote newest, last_note(*file));
  if (newest.text.empty()) return fail({ErrorCode::not_found, "no checkpoint is signed yet"});
  auto cosigned = cosigned_note();
  if (!cosigned && cosigned.error().code() != ErrorCode::not_found) return cosigned;
  if (cosigned && signed_text(*cosigned) == signed_text(newest.text)) return cosigned;
  return std::move(newest.text);
}

Result<std::string> LogReader::cosigned_note() {
  return read_text(*files_, cosigned_path(directory_, log_name_), kNoteBytesMax);
}

Result<void> LogReader::read(unsigned level, std::uint64_t begin, std::span<Hash> out) {
  if (level >= kTreeLevels || begin >= kHashesMax) return fail(kNotThere);
  SR_CHECK_OK(open_once(*files_, level_path(directory_, log_name_, level), levels_[level]));
  return read_all(*levels_[level], begin * sizeof(Hash), std::as_writable_bytes(out));
}

Result<std::vector<std::byte>> LogReader::tile(const TileId& tile) {
  std::vector<Hash> hashes(tile.width);
  SR_TRY(const std::uint64_t begin, first_hash(tile));
  SR_CHECK_OK(read(tile.level, begin, hashes));
  const auto bytes = std::as_bytes(std::span(hashes));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

Result<std::vector<std::byte>> LogReader::entry(std::uint64_t index) {
  Hash leaf;
  SR_CHECK_OK(read(0, index, std::span(&leaf, 1)));
  SR_TRY(const auto place, places(index, 1));
  SR_TRY(const auto bytes, entry_at(place.front(), leaf));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

Result<std::vector<std::byte>> LogReader::bundle(const TileId& tile) {
  SR_CHECK(tile.level == 0);
  std::vector<Hash> leaves(tile.width);
  SR_TRY(const std::uint64_t begin, first_hash(tile));
  SR_CHECK_OK(read(0, begin, leaves));
  SR_TRY(const auto where, places(begin, tile.width));
  std::vector<std::byte> bundle;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    SR_TRY(const auto bytes, entry_at(where[i], leaves[i]));
    append_to_bundle(bundle, bytes);
  }
  return bundle;
}

Result<FramePlace> LogReader::place(std::uint64_t index) {
  if (index >= kHashesMax) return fail(kNotThere);
  SR_TRY(const auto found, places(index, 1));
  return found.front();
}

Result<std::vector<FramePlace>> LogReader::places(std::uint64_t begin, std::size_t count) {
  SR_CHECK_OK(open_once(*files_, places_path(directory_, log_name_), places_));
  std::vector<std::byte> bytes(count * kPlaceBytes);
  SR_CHECK_OK(read_all(*places_, begin * kPlaceBytes, bytes));
  return decode_places(bytes);
}

// Valid until the next call.
Result<std::span<const std::byte>> LogReader::entry_at(const FramePlace& place, const Hash& leaf) {
  SR_TRY(File* const file, segment(place.segment_first_sequence));
  for (const std::size_t size : {kFrameBytesUsual, kFrameBytesMax}) {
    frame_.resize(size);
    SR_TRY(const std::size_t got, file->read(place.offset_bytes, frame_));
    const auto frame = parse_frame(std::span(frame_).first(got));
    if (!frame) continue;
    if (leaf_hash_of_input(frame->leaf_input) != leaf) break;
    return frame->entry;
  }
  return fail(kDamaged);
}

Result<File*> LogReader::segment(std::uint64_t first_sequence) {
  if (segment_first_sequence_ != first_sequence) {
    auto opened = open_segment(*files_, directory_, first_sequence);
    if (!opened && opened.error().code() != ErrorCode::gone) return std::unexpected(opened.error());
    segment_ = opened ? *std::move(opened) : nullptr;
    segment_first_sequence_ = first_sequence;
  }
  return segment_ ? Result<File*>(segment_.get()) : fail(kArchived);
}

}  // namespace strongroom::audit

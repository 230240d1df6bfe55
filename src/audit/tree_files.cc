// Writing the files of the trees.
#include "audit/tree_files.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/tile.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr Error kHole{ErrorCode::corrupt, "a file of a log's tree lacks what came before"};

std::string folder_of(const std::string& directory, std::string_view log_name) {
  return fmt::format("{}/{}/{}", directory, kTreeFolder, log_name);
}

// Hashes that `level` has in a tree of `size` entries.
std::uint64_t hashes_at(unsigned level, std::uint64_t size) {
  return size >> (kTileHeight * level);
}

}  // namespace

std::string level_path(const std::string& directory, std::string_view log_name, unsigned level) {
  return fmt::format("{}/level-{}", folder_of(directory, log_name), level);
}

std::string places_path(const std::string& directory, std::string_view log_name) {
  return folder_of(directory, log_name) + "/places";
}

Result<std::vector<std::string>> list_logs(Files& files, const std::string& directory) {
  auto names = files.list_folders(fmt::format("{}/{}", directory, kTreeFolder));
  if (!names && names.error().code() == ErrorCode::not_found) return std::vector<std::string>{};
  if (names) std::erase_if(*names, [](const std::string& name) { return !is_log_name(name); });
  return names;
}

std::vector<std::byte> encode_places(std::span<const FramePlace> places) {
  std::vector<std::byte> bytes;
  bytes.reserve(places.size() * kPlaceBytes);
  for (const FramePlace& place : places) {
    append_u64be(bytes, place.segment_first_sequence);
    append_u32be(bytes, place.offset_bytes);
  }
  return bytes;
}

std::vector<FramePlace> decode_places(std::span<const std::byte> bytes) {
  SR_CHECK(bytes.size() % kPlaceBytes == 0);
  std::vector<FramePlace> places;
  places.reserve(bytes.size() / kPlaceBytes);
  for (; !bytes.empty(); bytes = bytes.subspan(kPlaceBytes)) {
    places.push_back({read_u64be(bytes), read_u32be(bytes.subspan(8))});
  }
  return places;
}

std::vector<TreeFiles::Piece> TreeFiles::pieces(const std::string& log_name,
                                                const LogGrowth& growth) const {
  std::vector<Piece> pieces;
  if (growth.empty()) return pieces;
  pieces.reserve(growth.levels.size() + 1);
  for (unsigned level = 0; level < growth.levels.size(); ++level) {
    const auto bytes = std::as_bytes(std::span(growth.levels[level]));
    if (bytes.empty()) continue;
    pieces.push_back({level_path(directory_, log_name, level),
                      hashes_at(level, growth.old_size) * sizeof(Hash),
                      {bytes.begin(), bytes.end()},
                      sizeof(Hash),
                      std::uint64_t{1} << (kTileHeight * level)});
  }
  pieces.push_back({places_path(directory_, log_name), growth.old_size * kPlaceBytes,
                    encode_places(growth.places), kPlaceBytes});
  return pieces;
}

Result<void> TreeFiles::write(const std::string& log_name, const LogGrowth& growth) {
  for (const Piece& piece : pieces(log_name, growth)) {
    SR_TRY(const auto file, open(log_name, piece.path));
    SR_TRY(const std::uint64_t size, file->size());
    if (size < piece.offset_bytes) return fail(kHole);
    SR_CHECK_OK(file->write(piece.offset_bytes, piece.bytes));
  }
  return {};
}

Result<bool> TreeFiles::repair(const std::string& log_name, const LogGrowth& growth) {
  bool differed = false;
  for (const Piece& piece : pieces(log_name, growth)) {
    SR_TRY(const auto file, open(log_name, piece.path));
    std::vector<std::byte> held(piece.bytes.size());
    SR_TRY(const std::size_t got, file->read(piece.offset_bytes, held));
    held.resize(got);
    differed = differed || !std::ranges::equal(held, std::span(piece.bytes).first(got));
    SR_CHECK_OK(file->write(piece.offset_bytes, piece.bytes));
  }
  return differed;
}

Result<std::optional<TreeDifference>> TreeFiles::compare(const std::string& log_name,
                                                         const LogGrowth& growth) const {
  std::optional<TreeDifference> absent;
  for (const Piece& piece : pieces(log_name, growth)) {
    std::vector<std::byte> held(piece.bytes.size());
    const auto file = files_->open(piece.path, OpenMode::read);
    if (!file && file.error().code() != ErrorCode::not_found) return std::unexpected(file.error());
    std::size_t got = 0;
    if (file) {
      SR_TRY(got, (*file)->read(piece.offset_bytes, held));
    }
    held.resize(got);
    const auto at =
        static_cast<std::size_t>(std::ranges::mismatch(held, piece.bytes).in1 - held.begin());
    if (at == piece.bytes.size() || (at == got && absent)) continue;
    const std::uint64_t offset = piece.offset_bytes + at;
    const std::uint64_t first = offset / piece.item_bytes * piece.item_entries;
    TreeDifference difference{.file = piece.path.substr(directory_.size() + 1),
                              .offset_bytes = offset,
                              .first_entry = first,
                              .last_entry = first + piece.item_entries - 1,
                              .absent = at == got};
    if (!difference.absent) return difference;
    absent = std::move(difference);
  }
  return absent;
}

// A log's folder is made with its first file.
Result<std::unique_ptr<File>> TreeFiles::open(const std::string& log_name,
                                              const std::string& path) {
  auto file = files_->open(path, OpenMode::write);
  if (file || file.error().code() != ErrorCode::not_found) return file;
  SR_CHECK_OK(files_->make_folder(fmt::format("{}/{}", directory_, kTreeFolder)));
  SR_CHECK_OK(files_->make_folder(folder_of(directory_, log_name)));
  return files_->open(path, OpenMode::create);
}

Result<bool> TreeFiles::hold(const std::string& log_name, std::uint64_t size) {
  const auto is_long = [&](const std::string& path, std::uint64_t bytes) -> Result<bool> {
    const auto file = files_->open(path, OpenMode::read);
    if (!file && file.error().code() == ErrorCode::not_found) return bytes == 0;
    if (!file) return std::unexpected(file.error());
    SR_TRY(const std::uint64_t now, (*file)->size());
    return now >= bytes;
  };
  SR_TRY(bool held, is_long(places_path(directory_, log_name), size * kPlaceBytes));
  for (unsigned level = 0; held && hashes_at(level, size) > 0; ++level) {
    SR_TRY(held,
           is_long(level_path(directory_, log_name, level), hashes_at(level, size) * sizeof(Hash)));
  }
  return held;
}

Result<void> TreeFiles::cut(const std::string& log_name, std::uint64_t size) {
  const auto cut_to = [&](const std::string& path, std::uint64_t bytes) -> Result<void> {
    const auto file = files_->open(path, OpenMode::write);
    if (!file && file.error().code() == ErrorCode::not_found) return {};
    if (!file) return std::unexpected(file.error());
    SR_TRY(const std::uint64_t now, (*file)->size());
    return now > bytes ? (*file)->truncate(bytes) : Result<void>{};
  };
  for (unsigned level = 0; level < kTreeLevels; ++level) {
    SR_CHECK_OK(
        cut_to(level_path(directory_, log_name, level), hashes_at(level, size) * sizeof(Hash)));
  }
  return cut_to(places_path(directory_, log_name), size * kPlaceBytes);
}

}  // namespace strongroom::audit

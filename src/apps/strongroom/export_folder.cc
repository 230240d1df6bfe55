#include "apps/strongroom/export_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "apps/strongroom/checkpoint_list.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/entry_bundle.h"
#include "audit/logs.h"
#include "audit/proof.h"
#include "audit/static_export.h"
#include "audit/submission.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0644;
constexpr std::string_view kPart = ".part";
constexpr std::string_view kAllLogs = "--all\n";
constexpr std::size_t kUnfinishedBytesMax = 1 << 20;  // ten thousand logs
constexpr Error kOtherHistory{ErrorCode::conflict,
                              "the folder holds a checkpoint that this log does not continue"};
constexpr Error kUnavailable{ErrorCode::unavailable, "the export cannot be written"};

std::string vkey_line(const LogKey& key, std::string_view origin) {
  return key.of(origin).text() + "\n";
}

// A file is there whole or not at all; durable only when sync_all() has returned.
Result<void> write_whole(const fs::path& path, std::span<const std::byte> bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path part = path.string() + std::string(kPart);
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  const std::string_view text = as_text(bytes);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return fail(kUnavailable);
  fs::rename(part, path, error);
  return error ? fail(kUnavailable) : Result<void>{};
}

Result<void> sync_all(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail(kUnavailable);
  const int status = ::syncfs(descriptor);
  ::close(descriptor);
  return status == 0 ? Result<void>{} : fail(kUnavailable);
}

// Whether `path` holds these bytes already.
bool holds(audit::Files& files, const fs::path& path, std::span<const std::byte> bytes) {
  const auto found = audit::read_text(files, path.string(), bytes.size());
  return found && *found == as_text(bytes);
}

void add_to_gaps(audit::StaticGaps& gaps, std::uint64_t index, std::string archive) {
  if (!gaps.empty() && gaps.back().end == index && gaps.back().archive == archive) {
    ++gaps.back().end;
  } else {
    gaps.push_back({index, index + 1, std::move(archive)});
  }
}

Result<void> write_gaps(const fs::path& folder, const audit::StaticGaps& gaps) {
  const fs::path path = folder / audit::kStaticGaps;
  if (!gaps.empty()) return write_whole(path, as_bytes(audit::gaps_text(gaps)));
  std::error_code error;
  fs::remove(path, error);
  return error ? fail(kUnavailable) : Result<void>{};
}

// Partial tiles of smaller trees, parts of bundles that are whole by now, and what an interrupted
// export has left.
void remove_others(const fs::path& folder, const ExportedLog& exported) {
  const auto paths = audit::static_tree_paths(exported.last.checkpoint.size, exported.gaps);
  const std::set<std::string> known(paths.begin(), paths.end());
  std::error_code error;
  std::vector<fs::path> others;
  for (const std::string_view part : {"tile", "at-hand"}) {
    for (const auto& each : fs::recursive_directory_iterator(folder / part, error)) {
      const std::string path = fs::relative(each.path(), folder, error).string();
      if (each.is_regular_file(error) && !known.contains(path)) others.push_back(each.path());
    }
  }
  for (const fs::path& path : others) {
    fs::remove(path, error);
    fs::remove(path.parent_path(), error);  // a folder <N>.p or at-hand that is empty now
  }
}

}  // namespace

ExportFolder::ExportFolder(audit::Files& files, std::string directory, LogKey key,
                           const Witnesses& witnesses, fs::path out, const std::string& only)
    : files_(files),
      directory_(std::move(directory)),
      key_(std::move(key)),
      witnesses_(witnesses),
      out_(std::move(out)),
      what_(only.empty() ? std::string(kAllLogs) : fmt::format("--log {}\n", only)) {}

Result<ExportedLog> ExportFolder::write(const std::string& log) {
  SR_TRY(const audit::NoteVerifier verifier, key_.verifier(origin(log)));
  SR_TRY(audit::LogReader reader, audit::LogReader::open(files_, directory_, log));
  ExportedLog exported{.path = origin(log).substr(key_.place().size() + 1)};
  const fs::path folder = out_ / exported.path;
  SR_TRY(const Earlier earlier, check_earlier(folder, reader, verifier));
  SR_TRY(exported.last, last_checkpoint(reader, verifier, earlier.size));
  SR_CHECK_OK(begin());
  SR_CHECK_OK(write_tiles(folder, reader, earlier, exported));
  SR_CHECK_OK(write_gaps(folder, exported.gaps));
  SR_CHECK_OK(write_whole(folder / audit::kStaticVkey, as_bytes(vkey_line(key_, origin(log)))));
  SR_CHECK_OK(sync_all(folder));
  const std::string path = folder / audit::kStaticCheckpoint;
  SR_CHECK_OK(write_file_durable(path, as_bytes(exported.last.note), kFileMode));
  remove_others(folder, exported);
  return exported;
}

Result<void> ExportFolder::finish() {
  SR_CHECK_OK(write_whole(out_ / audit::kExportVkey, as_bytes(vkey_line(key_, key_.origin()))));
  SR_CHECK_OK(sync_all(out_));
  SR_TRY(std::string left, unfinished());
  const std::size_t own = left.find(what_);
  if (own == std::string::npos) return {};
  left.erase(own, what_.size());
  const fs::path path = out_ / audit::kUnfinishedName;
  if (!left.empty()) return write_file_durable(path, as_bytes(left), kFileMode);
  std::error_code error;
  fs::remove(path, error);
  return error ? fail(kUnavailable) : Result<void>{};
}

std::string ExportFolder::origin(std::string_view log) const {
  return audit::log_origin(key_.place(), log);
}

// A line for each command that has not finished; that of all logs stands for all.
Result<std::string> ExportFolder::unfinished() {
  auto lines = audit::read_text(files_, out_ / audit::kUnfinishedName, kUnfinishedBytesMax);
  if (!lines && lines.error().code() == ErrorCode::not_found) return std::string();
  return lines;
}

// Before the first change: until all logs are as far as they tell of each other, nobody could
// verify them.
Result<void> ExportFolder::begin() {
  SR_TRY(const std::string before, unfinished());
  if (before == kAllLogs || before.find(what_) != std::string::npos) return {};
  std::error_code error;
  fs::create_directories(out_, error);
  const std::string now = what_ == kAllLogs ? what_ : before + what_;
  return write_file_durable(out_ / audit::kUnfinishedName, as_bytes(now), kFileMode);
}

// The log continues what an earlier export has of it.
Result<ExportFolder::Earlier> ExportFolder::check_earlier(const fs::path& folder,
                                                          audit::LogReader& reader,
                                                          const audit::NoteVerifier& verifier) {
  const std::string path = folder / audit::kStaticCheckpoint;
  const auto note = audit::read_text(files_, path, audit::kNoteBytesMax);
  if (!note && note.error().code() == ErrorCode::not_found) return Earlier{};
  if (!note) return std::unexpected(note.error());
  const auto earlier = audit::open_checkpoint(*note, verifier);
  SR_TRY(const SignedCheckpoint newest, newest_signed(reader, verifier, {}));
  if (!earlier || earlier->size > newest.checkpoint.size) return fail(kOtherHistory);
  SR_TRY(const audit::Hash root, audit::tree_hash(reader, earlier->size));
  if (root != earlier->root) return fail(kOtherHistory);
  // A damaged file of gaps, or an interrupted export's, at worst costs what was there before.
  auto gaps = audit::read_gaps(files_, folder.string(), newest.checkpoint.size);
  return Earlier{earlier->size, gaps ? *std::move(gaps) : audit::StaticGaps()};
}

// The one that the export ends with: of the operator's log that grows now the newest that a
// witness stands for, since all that the export holds is witnessed through that one.
Result<SignedCheckpoint> ExportFolder::last_checkpoint(audit::LogReader& reader,
                                                       const audit::NoteVerifier& verifier,
                                                       std::uint64_t earlier_size) {
  SR_TRY(SignedCheckpoint newest, newest_signed(reader, verifier, witnesses_));
  const auto growing = audit::newest_operators_log(files_, directory_);
  if (witnesses_.empty() || !growing || reader.log_name() != *growing) return newest;
  auto cosigned = newest_cosigned(reader, verifier, witnesses_);
  if (!cosigned && cosigned.error().code() != ErrorCode::not_found) return cosigned;
  const bool goes_on = cosigned && cosigned->checkpoint.size >= earlier_size;
  SignedCheckpoint& last = goes_on ? *cosigned : newest;
  say_what_is_missing(reader.log_name(), last, newest.checkpoint.size);
  return std::move(last);
}

void ExportFolder::say_what_is_missing(const std::string& log, const SignedCheckpoint& last,
                                       std::uint64_t newest_size) const {
  if (last.checkpoint.size < newest_size) {
    fmt::print(stderr,
               "strongroom: {}: left out its newest entries ({}): no witness stands for "
               "them yet\n",
               log, newest_size - last.checkpoint.size);
  }
  for (const audit::CosignatureVerifier& witness : witnesses_) {
    const std::string& name = witness.key().name;
    const auto found =
        std::ranges::find(last.cosignatures, name, &SignedCheckpoint::Cosignature::witness);
    if (found != last.cosignatures.end()) continue;
    fmt::print(stderr, "strongroom: {}: exported without a cosignature of {}\n", log, name);
  }
}

Result<void> ExportFolder::write_tiles(const fs::path& folder, audit::LogReader& reader,
                                       const Earlier& earlier, ExportedLog& exported) {
  const std::uint64_t size = exported.last.checkpoint.size;
  ProgressBar bar(reader.log_name());
  for (const audit::TileId& tile : audit::new_tiles(0, size)) {
    SR_TRY(const auto hashes, reader.tile(tile));
    SR_CHECK_OK(write_unless_there(folder / audit::tile_path(tile), hashes));
    if (tile.level != 0) continue;
    auto bundle = reader.bundle(tile);
    if (bundle) {
      SR_CHECK_OK(write_unless_there(folder / audit::bundle_path(tile), *bundle));
    } else if (bundle.error().code() == ErrorCode::gone) {
      SR_CHECK_OK(write_at_hand(folder, reader, tile, earlier, exported.gaps));
    } else {
      return fail(bundle.error());
    }
    bar.show(tile.index * audit::kTileWidth + tile.width, size);
  }
  return {};
}

// What there is of a bundle of which entries are in an archive.
Result<void> ExportFolder::write_at_hand(const fs::path& folder, audit::LogReader& reader,
                                         const audit::TileId& tile, const Earlier& earlier,
                                         audit::StaticGaps& gaps) {
  const std::uint64_t begin = tile.index * audit::kTileWidth;
  SR_TRY(const auto kept, kept_entries(folder, reader, tile, earlier));
  std::vector<std::vector<std::byte>> entries(tile.width);
  for (std::uint64_t i = 0; i < tile.width; ++i) {
    auto entry = reader.entry(begin + i);
    if (!entry && entry.error().code() != ErrorCode::gone) return fail(entry.error());
    if (!entry && !kept[i]) {
      SR_TRY(const audit::FramePlace place, reader.place(begin + i));
      add_to_gaps(gaps, begin + i, audit::archive_name(place.segment_first_sequence));
      continue;
    }
    entries[i] = entry ? *std::move(entry) : *kept[i];
  }
  for (const audit::StaticRun& run : audit::runs_of_bundle(tile, gaps)) {
    std::vector<std::byte> bytes;
    for (std::uint64_t i = run.begin; i < run.end; ++i) {
      audit::append_to_bundle(bytes, entries[i - begin]);
    }
    SR_CHECK_OK(write_unless_there(folder / run.path, bytes));
  }
  return {};
}

// The entries of the bundle that an earlier export, or an interrupted one, has left in the folder
// and that have the tree's hashes.
Result<std::vector<std::optional<std::vector<std::byte>>>> ExportFolder::kept_entries(
    const fs::path& folder, audit::LogReader& reader, const audit::TileId& tile,
    const Earlier& earlier) {
  const std::uint64_t begin = tile.index * audit::kTileWidth;
  std::vector<audit::Hash> leaves(tile.width);
  SR_CHECK_OK(reader.read(0, begin, leaves));
  std::vector<std::optional<std::vector<std::byte>>> kept(tile.width);
  const auto take = [&](unsigned width, const audit::StaticGaps& gaps) {
    const auto found =
        audit::read_static_entries(files_, folder.string(), {0, tile.index, width}, gaps);
    for (std::size_t i = 0; found && i < width; ++i) {
      const auto& entry = found->entries[i];
      if (entry && audit::leaf_hash(*entry) == leaves[i]) {
        kept[i].emplace(entry->begin(), entry->end());
      }
    }
  };
  take(tile.width, {});
  if (earlier.size > begin) {
    const std::uint64_t width = std::min<std::uint64_t>(tile.width, earlier.size - begin);
    take(static_cast<unsigned>(width), earlier.gaps);
  }
  return kept;
}

Result<void> ExportFolder::write_unless_there(const fs::path& path,
                                              std::span<const std::byte> bytes) {
  return holds(files_, path, bytes) ? Result<void>{} : write_whole(path, bytes);
}

}  // namespace strongroom::tool

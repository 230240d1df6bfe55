// The files of a log's tree (docs/formats/audit-trees.md): per log the hashes of each tile level
// one after the other in trees/<log>/level-<L>, and in trees/<log>/places where in the journal each
// entry stands. They are derived from the journal and may be made anew from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/logs.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kTreeFolder = "trees";
// u64be first sequence of the segment | u32be offset of the frame there
inline constexpr std::size_t kPlaceBytes = 12;
// A tree of 2^64 entries has no more.
inline constexpr unsigned kTreeLevels = 8;

[[nodiscard]] std::string level_path(const std::string& directory, std::string_view log_name,
                                     unsigned level);
[[nodiscard]] std::string places_path(const std::string& directory, std::string_view log_name);
// Names of the logs that have a tree in `directory` (DIR/audit), ascending. unavailable.
[[nodiscard]] Result<std::vector<std::string>> list_logs(Files& files,
                                                         const std::string& directory);

[[nodiscard]] std::vector<std::byte> encode_places(std::span<const FramePlace> places);
// REQUIRES: a multiple of kPlaceBytes.
[[nodiscard]] std::vector<FramePlace> decode_places(std::span<const std::byte> bytes);

// The first place where the files of a tree are not what its log has gained.
struct TreeDifference {
  std::string file;                // within DIR/audit
  std::uint64_t offset_bytes = 0;  // of the byte
  std::uint64_t first_entry = 0;   // of those that the hash or the place there is of
  std::uint64_t last_entry = 0;
  bool absent = false;  // the file ends there, and none of the others differs in what it has
};

// TreeFiles is the one writer's side. One thread. Nothing is synced: what a crash takes is written
// again, for the journal is read again from a place where all was durable.
class TreeFiles {
 public:
  // `files` outlives it; `directory` is DIR/audit.
  TreeFiles(Files& files, std::string directory)
      : files_(&files), directory_(std::move(directory)) {}

  // Writes what the log has gained at its place; the same again makes no difference. corrupt: the
  // files lack what came before; unavailable. After an error any part of it may be written.
  [[nodiscard]] Result<void> write(const std::string& log_name, const LogGrowth& growth);
  // The same where the files may be whole already: true when they held something else there. What
  // they show may not be what the disk holds (a sync has failed before), so all is written again.
  [[nodiscard]] Result<bool> repair(const std::string& log_name, const LogGrowth& growth);
  // Where the files hold something else, or nothing; they may hold more. unavailable.
  [[nodiscard]] Result<std::optional<TreeDifference>> compare(const std::string& log_name,
                                                              const LogGrowth& growth) const;
  // Whether the files are as long as a tree of `size` entries, or longer.
  [[nodiscard]] Result<bool> hold(const std::string& log_name, std::uint64_t size);
  // Cuts off what lies behind a tree of `size` entries, which is what another history has left.
  [[nodiscard]] Result<void> cut(const std::string& log_name, std::uint64_t size);

 private:
  // One file's part of the growth.
  struct Piece {
    std::string path;
    std::uint64_t offset_bytes = 0;
    std::vector<std::byte> bytes;
    std::size_t item_bytes = 0;      // of a hash or a place
    std::uint64_t item_entries = 1;  // that each is of
  };
  std::vector<Piece> pieces(const std::string& log_name, const LogGrowth& growth) const;
  Result<std::unique_ptr<File>> open(const std::string& log_name, const std::string& path);

  Files* files_;
  std::string directory_;
};

}  // namespace strongroom::audit

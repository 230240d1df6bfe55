// A log as static files, the form that others' tools read (C2SP tlog-tiles v0.1.0): in one folder
// `checkpoint`, the hash tiles and the entry bundles. See tile.h for the paths.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/note.h"
#include "audit/tile.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kStaticCheckpoint = "checkpoint";
inline constexpr std::string_view kStaticGaps = "gaps";

// The entries [begin, end) are not among the files, for they were in `archive` (archive.h). Their
// hashes are.
struct StaticGap {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string archive{};
  auto operator<=>(const StaticGap&) const = default;
};
// A log's gaps, ascending.
using StaticGaps = std::vector<StaticGap>;

// The content of `gaps`, which is there when the log has any: "<begin> <end> <archive>" a line.
[[nodiscard]] std::string gaps_text(const StaticGaps& gaps);
// corrupt: not what gaps_text() gives, or not of a log of `size` entries.
[[nodiscard]] Result<StaticGaps> parse_gaps(std::string_view text, std::uint64_t size);
// Those of the log in `folder`; none where there is no such file. corrupt, unavailable.
[[nodiscard]] Result<StaticGaps> read_gaps(Files& files, const std::string& folder,
                                           std::uint64_t size);

// The entries [begin, end) in one file.
struct StaticRun {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string path{};  // of the file, within the log's folder
};
// The files that hold the entries of the bundle `tile`: the bundle itself, or what the gaps leave
// of it, in the form of bundles: "at-hand/<begin>-<end>".
[[nodiscard]] std::vector<StaticRun> runs_of_bundle(const TileId& tile, const StaticGaps& gaps);

// The entries of one bundle, by their place in it.
struct StaticEntries {
  std::vector<std::string> texts;  // what the entries are views into
  std::vector<std::optional<std::span<const std::byte>>> entries;  // nullopt: in a gap
};
// not_found; invalid_argument: a file is no bundle of so many; unavailable. `path`, where it is
// given, gets the file that an error is about.
[[nodiscard]] Result<StaticEntries> read_static_entries(Files& files, const std::string& folder,
                                                        const TileId& tile, const StaticGaps& gaps,
                                                        std::string* path = nullptr);

// Paths of all files of a log of `size` entries, within its folder; `checkpoint` is the last.
[[nodiscard]] std::vector<std::string> static_tree_paths(std::uint64_t size,
                                                         const StaticGaps& gaps = {});

// A file that is not what the entries and the signature say.
struct BadFile {
  std::string_view what{};  // literal
  std::string path{};       // within the folder
};

struct StaticTree {
  Checkpoint checkpoint;  // empty when its own file is bad
  StaticGaps gaps;
  std::optional<BadFile> bad;
};

struct StaticTreeCallbacks {
  // The entries done and those in the log.
  std::function<void(std::uint64_t, std::uint64_t)> progress{};
  // Index and bytes of each entry that is there, in order, as its bundle and its tile have it. That
  // they are what was signed for is only known at the end.
  std::function<void(std::uint64_t, std::span<const std::byte>)> entry{};
};

// Derives the log in `folder` anew from its bundles, and where it has gaps from the hashes in the
// tiles of level 0, and compares every tile, and the root that `key` has signed; stops at the first
// bad file. unavailable: a file cannot be read, though it is there.
[[nodiscard]] Result<StaticTree> verify_static_tree(Files& files, const std::string& folder,
                                                    const NoteVerifier& key,
                                                    const StaticTreeCallbacks& callbacks = {});

// The root that the log in `folder`, of `size` entries, had when it was of `old_size`; O(log n)
// reads of tiles, which were verified. REQUIRES: old_size <= size.
[[nodiscard]] Result<Hash> static_tree_root(Files& files, const std::string& folder,
                                            std::uint64_t size, std::uint64_t old_size);

}  // namespace strongroom::audit

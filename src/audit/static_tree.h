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
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kStaticCheckpoint = "checkpoint";

// Paths of all files of a log of `size` entries, within its folder; `checkpoint` is the last.
[[nodiscard]] std::vector<std::string> static_tree_paths(std::uint64_t size);

// A file that is not what the entries and the signature say.
struct BadFile {
  std::string_view what{};  // literal
  std::string path{};       // within the folder
};

struct StaticTree {
  Checkpoint checkpoint;  // empty when its own file is bad
  std::optional<BadFile> bad;
};

struct StaticTreeCallbacks {
  // The entries done and those in the log.
  std::function<void(std::uint64_t, std::uint64_t)> progress{};
  // Index and bytes of each entry, in order, as its bundle and its tile have it. That they are what
  // was signed for is only known at the end.
  std::function<void(std::uint64_t, std::span<const std::byte>)> entry{};
};

// Derives the log in `folder` anew from its bundles and compares every tile, and the root that
// `key` has signed; stops at the first bad file. unavailable: a file cannot be read, though it is
// there.
[[nodiscard]] Result<StaticTree> verify_static_tree(Files& files, const std::string& folder,
                                                    const NoteVerifier& key,
                                                    const StaticTreeCallbacks& callbacks = {});

// The root that the log in `folder`, of `size` entries, had when it was of `old_size`; O(log n)
// reads of tiles, which were verified. REQUIRES: old_size <= size.
[[nodiscard]] Result<Hash> static_tree_root(Files& files, const std::string& folder,
                                            std::uint64_t size, std::uint64_t old_size);

}  // namespace strongroom::audit

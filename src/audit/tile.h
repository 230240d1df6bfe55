// Tiles (C2SP tlog-tiles v0.1.0): the hashes of a log's Merkle tree in runs of 256, as files that
// never change. The hashes of one level lie one after the other, so a tile is a range of them, and
// a partial tile the start of the full one.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "audit/subtree.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr unsigned kTileHeight = 8;
inline constexpr unsigned kTileWidth = 1U << kTileHeight;
inline constexpr unsigned kTileLevelMax = 63;
inline constexpr std::size_t kTileBytesMax = kTileWidth * sizeof(Hash);

// Hash i of tile `index` at `level` is the root of the complete subtree over the entries
// [(256 index + i) 256^level, (256 index + i + 1) 256^level). A tile of fewer than 256 is partial.
struct TileId {
  unsigned level = 0;
  std::uint64_t index = 0;
  unsigned width = kTileWidth;  // in hashes, 1 to 256
  auto operator<=>(const TileId&) const = default;
};

// "tile/<level>/<index>" and, for a partial tile, ".p/<width>"; the index in groups of three
// digits, all but the last behind an "x": 1234067 is "x001/x234/067".
[[nodiscard]] std::string tile_path(const TileId& tile);
// invalid_argument unless `path` is what tile_path() writes for some tile.
[[nodiscard]] Result<TileId> parse_tile_path(std::string_view path);

// The same for the bundle of the entries that `tile`, of level 0, holds the hashes of:
// "tile/entries/<index>".
[[nodiscard]] std::string bundle_path(const TileId& tile);
[[nodiscard]] Result<TileId> parse_bundle_path(std::string_view path);

// True when every hash of `tile` is in a tree of `size` entries, whatever its own last width.
[[nodiscard]] bool is_in_tree(const TileId& tile, std::uint64_t size);
// The tiles of a tree of `size` entries that it did not have at `old_size`, ascending; all of them
// for an `old_size` of 0. REQUIRES: old_size <= size.
[[nodiscard]] std::vector<TileId> new_tiles(std::uint64_t old_size, std::uint64_t size);
// The tiles, ascending, that hold what the hashes of `subtrees` are computed from, as wide as a
// tree of `size` entries has them. REQUIRES: no subtree ends behind `size`.
[[nodiscard]] std::vector<TileId> tiles_of(std::span<const Subtree> subtrees, std::uint64_t size);

// The hashes of a level, within one tile, that a complete subtree's root is computed from.
struct HashRange {
  unsigned level = 0;
  std::uint64_t begin = 0;
  std::size_t count = 0;  // 1 to 128
};
// REQUIRES: a power of two of entries, beginning at a multiple of it.
[[nodiscard]] HashRange hash_range(const Subtree& complete);

}  // namespace strongroom::audit

// Names of tiles, and which ones there are.
#include "audit/tile.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>
#include <optional>

#include "audit/lines.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kRoot = "tile/";
constexpr std::string_view kEntries = "tile/entries/";
constexpr std::string_view kPartial = ".p/";
constexpr std::size_t kPathBytesMax = 64;  // an index of 20 digits is 34 bytes long
constexpr Error kNotTile{ErrorCode::invalid_argument, "not the path of a tile"};

std::string path_in(std::string_view folder, const TileId& tile) {
  std::uint64_t index = tile.index;
  std::string name = fmt::format("{:03}", index % 1000);
  while ((index /= 1000) > 0) name = fmt::format("x{:03}/{}", index % 1000, name);
  if (tile.width == kTileWidth) return fmt::format("{}{}", folder, name);
  return fmt::format("{}{}{}{}", folder, name, kPartial, tile.width);
}

// The tile in "<index>[.p/<width>]". The index is read in any form: the caller compares with the
// path that the tile has.
std::optional<TileId> parse_place(std::uint64_t level, std::string_view place) {
  TileId tile{.level = static_cast<unsigned>(level)};
  const std::size_t partial = place.find(kPartial);
  if (partial != std::string_view::npos) {
    const auto width = parse_decimal(place.substr(partial + kPartial.size()));
    if (!width || *width == 0 || *width >= kTileWidth) return std::nullopt;
    tile.width = static_cast<unsigned>(*width);
    place = place.substr(0, partial);
  }
  std::string digits(place);
  std::erase_if(digits, [](char c) { return c == 'x' || c == '/'; });
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, tile.index);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return tile;
}

std::uint64_t hashes_at(unsigned level, std::uint64_t size) {
  const unsigned shift = kTileHeight * level;
  return shift < 64 ? size >> shift : 0;
}

// Tile `index` as wide as the `hashes` of its level make it.
TileId tile_at(unsigned level, std::uint64_t index, std::uint64_t hashes) {
  const std::uint64_t behind = hashes - index * kTileWidth;
  return {level, index, static_cast<unsigned>(std::min<std::uint64_t>(behind, kTileWidth))};
}

}  // namespace

std::string tile_path(const TileId& tile) {
  return path_in(fmt::format("{}{}/", kRoot, tile.level), tile);
}

Result<TileId> parse_tile_path(std::string_view path) {
  if (path.size() > kPathBytesMax || !path.starts_with(kRoot)) return fail(kNotTile);
  const std::string_view rest = path.substr(kRoot.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return fail(kNotTile);
  const auto level = parse_decimal(rest.substr(0, slash));
  if (!level || *level > kTileLevelMax) return fail(kNotTile);
  const auto tile = parse_place(*level, rest.substr(slash + 1));
  if (!tile || tile_path(*tile) != path) return fail(kNotTile);
  return *tile;
}

std::string bundle_path(const TileId& tile) {
  SR_CHECK(tile.level == 0);
  return path_in(kEntries, tile);
}

Result<TileId> parse_bundle_path(std::string_view path) {
  if (path.size() > kPathBytesMax || !path.starts_with(kEntries)) return fail(kNotTile);
  const auto tile = parse_place(0, path.substr(kEntries.size()));
  if (!tile || bundle_path(*tile) != path) return fail(kNotTile);
  return *tile;
}

bool is_in_tree(const TileId& tile, std::uint64_t size) {
  const std::uint64_t hashes = hashes_at(tile.level, size);
  const std::uint64_t full = hashes / kTileWidth;
  return tile.index < full || (tile.index == full && tile.width <= hashes % kTileWidth);
}

std::vector<TileId> new_tiles(std::uint64_t old_size, std::uint64_t size) {
  SR_CHECK(old_size <= size);
  std::vector<TileId> tiles;
  for (unsigned level = 0; hashes_at(level, size) > hashes_at(level, old_size); ++level) {
    const std::uint64_t hashes = hashes_at(level, size);
    const std::uint64_t first = hashes_at(level, old_size) / kTileWidth;
    const std::uint64_t last = (hashes - 1) / kTileWidth;
    for (std::uint64_t index = first; index <= last; ++index) {
      tiles.push_back(tile_at(level, index, hashes));
    }
  }
  return tiles;
}

std::vector<TileId> tiles_of(std::span<const Subtree> subtrees, std::uint64_t size) {
  std::vector<TileId> tiles;
  for (const Subtree& subtree : subtrees) {
    SR_CHECK(subtree.end <= size);
    for (const Subtree& part : complete_parts(subtree)) {
      const HashRange range = hash_range(part);
      tiles.push_back(tile_at(range.level, range.begin / kTileWidth, hashes_at(range.level, size)));
    }
  }
  std::ranges::sort(tiles);
  const auto repeated = std::ranges::unique(tiles);
  tiles.erase(repeated.begin(), repeated.end());
  return tiles;
}

HashRange hash_range(const Subtree& complete) {
  const std::uint64_t entries = complete.end - complete.begin;
  SR_CHECK(std::has_single_bit(entries) && complete.begin % entries == 0);
  const unsigned level = static_cast<unsigned>(std::countr_zero(entries)) / kTileHeight;
  const unsigned shift = kTileHeight * level;
  return {level, complete.begin >> shift, static_cast<std::size_t>(entries >> shift)};
}

}  // namespace strongroom::audit

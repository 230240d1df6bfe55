// Checks a log's static files.
#include "audit/static_tree.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "audit/entry_bundle.h"
#include "audit/proof.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kBundleBytesMax = std::size_t{kTileWidth} * (2 + kBundleEntryBytesMax);

// Reads the hashes of a tree of `size` entries from its tiles.
class StaticTiles final : public HashReader {
 public:
  StaticTiles(Files& files, std::string folder, std::uint64_t size)
      : files_(files), folder_(std::move(folder)), size_(size) {}

  // As wide as the tree has it.
  TileId tile_at(unsigned level, std::uint64_t index) const {
    const std::uint64_t hashes = size_ >> (level * kTileHeight);
    const std::uint64_t begin = index * kTileWidth;
    const auto width = static_cast<unsigned>(std::min<std::uint64_t>(kTileWidth, hashes - begin));
    return {level, index, width};
  }

  // invalid_argument: another length than the tile's.
  Result<std::vector<Hash>> hashes(const TileId& tile) {
    SR_TRY(const std::string bytes,
           read_text(files_, folder_ + "/" + tile_path(tile), kTileBytesMax));
    if (bytes.size() != tile.width * sizeof(Hash)) {
      return fail({ErrorCode::invalid_argument, "tile has another length"});
    }
    std::vector<Hash> hashes(tile.width);
    std::memcpy(hashes.data(), bytes.data(), bytes.size());
    return hashes;
  }

  Result<void> read(unsigned level, std::uint64_t begin, std::span<Hash> out) override {
    SR_TRY(const auto all, hashes(tile_at(level, begin / kTileWidth)));
    const std::size_t offset = begin % kTileWidth;
    if (offset + out.size() > all.size()) return fail({ErrorCode::not_found, "not in the tree"});
    std::ranges::copy(std::span(all).subspan(offset, out.size()), out.begin());
    return {};
  }

  // The hashes of the entries in the bundle, which bundle() has afterwards.
  Result<std::vector<Hash>> leaves(const TileId& tile) {
    SR_TRY(bundle_text_, read_text(files_, folder_ + "/" + bundle_path(tile), kBundleBytesMax));
    SR_TRY(bundle_, parse_bundle(as_bytes(bundle_text_), tile.width));
    std::vector<Hash> hashes;
    hashes.reserve(bundle_.size());
    for (const auto& entry : bundle_) hashes.push_back(leaf_hash(entry));
    return hashes;
  }
  std::span<const std::span<const std::byte>> bundle() const { return bundle_; }

  // The roots of the full tiles below `tile`.
  Result<std::vector<Hash>> roots_below(const TileId& tile) {
    std::vector<Hash> roots;
    roots.reserve(tile.width);
    for (unsigned i = 0; i < tile.width; ++i) {
      SR_TRY(const auto below, hashes({tile.level - 1, tile.index * kTileWidth + i, kTileWidth}));
      MerkleTree tree;
      for (const Hash& hash : below) tree.append(hash);
      roots.push_back(tree.root());
    }
    return roots;
  }

 private:
  Files& files_;
  std::string folder_;
  std::uint64_t size_;
  std::string bundle_text_;
  std::vector<std::span<const std::byte>> bundle_;
};

// What is wrong with a file is news; that it cannot be read is an error.
bool is_news(const Error& error) {
  return error.code() != ErrorCode::unavailable && error.code() != ErrorCode::permission_denied;
}

// `bad` gets the first one.
Result<void> check_tile(StaticTiles& tiles, const TileId& tile, std::optional<BadFile>& bad) {
  const auto judge = [&](const Error& error, std::string path) -> Result<void> {
    if (!is_news(error)) return fail(error);
    bad = BadFile{error.what(), std::move(path)};
    return {};
  };
  const auto expected = tile.level == 0 ? tiles.leaves(tile) : tiles.roots_below(tile);
  if (!expected) {
    return judge(expected.error(), tile.level == 0 ? bundle_path(tile) : tile_path(tile));
  }
  const auto found = tiles.hashes(tile);
  if (!found) return judge(found.error(), tile_path(tile));
  if (*found != *expected) bad = BadFile{"is not what the entries give", tile_path(tile)};
  return {};
}

}  // namespace

std::vector<std::string> static_tree_paths(std::uint64_t size) {
  std::vector<std::string> paths;
  for (const TileId& tile : new_tiles(0, size)) {
    paths.push_back(tile_path(tile));
    if (tile.level == 0) paths.push_back(bundle_path(tile));
  }
  paths.emplace_back(kStaticCheckpoint);
  return paths;
}

Result<StaticTree> verify_static_tree(Files& files, const std::string& folder,
                                      const NoteVerifier& key,
                                      const StaticTreeCallbacks& callbacks) {
  StaticTree tree;
  const std::string path = std::string(kStaticCheckpoint);
  const auto note = read_text(files, folder + "/" + path, kNoteBytesMax);
  if (!note && !is_news(note.error())) return std::unexpected(note.error());
  auto checkpoint = note ? open_checkpoint(*note, key) : std::unexpected(note.error());
  if (!checkpoint) {
    tree.bad = BadFile{checkpoint.error().what(), path};
    return tree;
  }
  tree.checkpoint = *std::move(checkpoint);
  const std::uint64_t size = tree.checkpoint.size;
  StaticTiles tiles(files, folder, size);
  for (const TileId& tile : new_tiles(0, size)) {
    SR_CHECK_OK(check_tile(tiles, tile, tree.bad));
    if (tree.bad) return tree;
    if (tile.level != 0) continue;
    std::uint64_t index = tile.index * kTileWidth;
    for (const auto& entry : tiles.bundle()) {
      if (callbacks.entry) callbacks.entry(index, entry);
      ++index;
    }
    if (callbacks.progress) callbacks.progress(index, size);
  }
  SR_TRY(const Hash root, tree_hash(tiles, size));
  if (root != tree.checkpoint.root) tree.bad = BadFile{"another root than the entries give", path};
  return tree;
}

Result<Hash> static_tree_root(Files& files, const std::string& folder, std::uint64_t size,
                              std::uint64_t old_size) {
  SR_CHECK(old_size <= size);
  StaticTiles tiles(files, folder, size);
  return tree_hash(tiles, old_size);
}

}  // namespace strongroom::audit

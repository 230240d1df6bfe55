// Checks a log's static files.
#include "audit/static_tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "audit/archive.h"
#include "audit/entry_bundle.h"
#include "audit/lines.h"
#include "audit/proof.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kBundleBytesMax = std::size_t{kTileWidth} * (2 + kBundleEntryBytesMax);
constexpr std::size_t kGapsBytesMax = std::size_t{16} << 20;
constexpr Error kBadGaps{ErrorCode::corrupt, "does not say which entries are absent"};

Result<StaticGap> parse_gap(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return fail(kBadGaps);
  const auto begin = parse_decimal(line.substr(0, first));
  const auto end = parse_decimal(line.substr(first + 1, second - first - 1));
  const std::string_view archive = line.substr(second + 1);
  if (!begin || !end || !sequence_of_archive(archive)) return fail(kBadGaps);
  return StaticGap{*begin, *end, std::string(archive)};
}

// Reads the hashes of a tree of `size` entries from its tiles.
class StaticTiles final : public HashReader {
 public:
  StaticTiles(Files& files, std::string folder, std::uint64_t size, StaticGaps gaps)
      : files_(files), folder_(std::move(folder)), size_(size), gaps_(std::move(gaps)) {}

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

  // The hashes of the entries of a bundle, which entries() has afterwards; of one in a gap it is
  // what the tile says. `path` gets the file that an error is about.
  Result<std::vector<Hash>> leaves(const TileId& tile, std::string& path) {
    SR_TRY(bundle_, read_static_entries(files_, folder_, tile, gaps_, &path));
    path = tile_path(tile);
    std::vector<Hash> leaves(tile.width);
    const auto is_absent = [](const auto& entry) { return !entry.has_value(); };
    if (std::ranges::any_of(bundle_.entries, is_absent)) {
      SR_TRY(leaves, hashes(tile));
    }
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (bundle_.entries[i]) leaves[i] = leaf_hash(*bundle_.entries[i]);
    }
    return leaves;
  }
  const StaticEntries& bundle() const { return bundle_; }

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
  StaticGaps gaps_;
  StaticEntries bundle_;
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
  std::string path = tile_path(tile);
  const auto expected = tile.level == 0 ? tiles.leaves(tile, path) : tiles.roots_below(tile);
  if (!expected) return judge(expected.error(), std::move(path));
  const auto found = tiles.hashes(tile);
  if (!found) return judge(found.error(), tile_path(tile));
  if (*found != *expected) bad = BadFile{"is not what the entries give", tile_path(tile)};
  return {};
}

}  // namespace

std::string gaps_text(const StaticGaps& gaps) {
  std::string text;
  for (const StaticGap& gap : gaps) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", gap.begin, gap.end, gap.archive);
  }
  return text;
}

Result<StaticGaps> parse_gaps(std::string_view text, std::uint64_t size) {
  StaticGaps gaps;
  std::uint64_t from = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return fail(kBadGaps);
    SR_TRY(StaticGap gap, parse_gap(text.substr(0, end)));
    if (gap.begin < from || gap.begin >= gap.end || gap.end > size) return fail(kBadGaps);
    from = gap.end;
    gaps.push_back(std::move(gap));
    text.remove_prefix(end + 1);
  }
  return gaps;
}

Result<StaticGaps> read_gaps(Files& files, const std::string& folder, std::uint64_t size) {
  const auto text = read_text(files, fmt::format("{}/{}", folder, kStaticGaps), kGapsBytesMax);
  if (!text && text.error().code() == ErrorCode::not_found) return StaticGaps();
  if (!text) return std::unexpected(text.error());
  if (text->empty()) return fail(kBadGaps);
  return parse_gaps(*text, size);
}

std::vector<StaticRun> runs_of_bundle(const TileId& tile, const StaticGaps& gaps) {
  const std::uint64_t end = tile.index * kTileWidth + tile.width;
  std::vector<StaticRun> runs;
  std::uint64_t at = tile.index * kTileWidth;
  const std::uint64_t begin = at;
  const auto add = [&](std::uint64_t until) {
    if (at >= until) return;
    const bool whole = at == begin && until == end;
    runs.push_back(
        {at, until, whole ? bundle_path(tile) : fmt::format("at-hand/{}-{}", at, until)});
  };
  const auto first = std::ranges::upper_bound(gaps, begin, {}, &StaticGap::end);
  for (auto gap = first; gap != gaps.end() && gap->begin < end; ++gap) {
    add(std::max(at, gap->begin));
    at = std::min(gap->end, end);
  }
  add(end);
  return runs;
}

Result<StaticEntries> read_static_entries(Files& files, const std::string& folder,
                                          const TileId& tile, const StaticGaps& gaps,
                                          std::string* path) {
  StaticEntries found;
  found.entries.resize(tile.width);
  const std::vector<StaticRun> runs = runs_of_bundle(tile, gaps);
  found.texts.reserve(runs.size());  // the views stay valid
  for (const StaticRun& run : runs) {
    if (path != nullptr) *path = run.path;
    SR_TRY(std::string text, read_text(files, folder + "/" + run.path, kBundleBytesMax));
    found.texts.push_back(std::move(text));
    SR_TRY(const auto entries, parse_bundle(as_bytes(found.texts.back()), run.end - run.begin));
    const std::size_t offset = run.begin - tile.index * kTileWidth;
    for (std::size_t i = 0; i < entries.size(); ++i) found.entries[offset + i] = entries[i];
  }
  return found;
}

std::vector<std::string> static_tree_paths(std::uint64_t size, const StaticGaps& gaps) {
  std::vector<std::string> paths;
  for (const TileId& tile : new_tiles(0, size)) {
    paths.push_back(tile_path(tile));
    if (tile.level != 0) continue;
    for (StaticRun& run : runs_of_bundle(tile, gaps)) paths.push_back(std::move(run.path));
  }
  if (!gaps.empty()) paths.emplace_back(kStaticGaps);
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
  auto gaps = read_gaps(files, folder, size);
  if (!gaps && !is_news(gaps.error())) return std::unexpected(gaps.error());
  if (!gaps) {
    tree.bad = BadFile{gaps.error().what(), std::string(kStaticGaps)};
    return tree;
  }
  tree.gaps = *std::move(gaps);
  StaticTiles tiles(files, folder, size, tree.gaps);
  for (const TileId& tile : new_tiles(0, size)) {
    SR_CHECK_OK(check_tile(tiles, tile, tree.bad));
    if (tree.bad) return tree;
    if (tile.level != 0) continue;
    std::uint64_t index = tile.index * kTileWidth;
    for (const auto& entry : tiles.bundle().entries) {
      if (callbacks.entry && entry) callbacks.entry(index, *entry);
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
  StaticTiles tiles(files, folder, size, {});  // of which only hashes are read
  return tree_hash(tiles, old_size);
}

}  // namespace strongroom::audit

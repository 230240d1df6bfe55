// Tiles and entry bundles: their names in both directions, which ones there are, and what is in
// them, also against a tree of 70,000 entries written by golang.org/x/mod's rules.
#include "audit/tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/checkpoint.h"
#include "audit/entry_bundle.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "base/encoding.h"

namespace strongroom::audit {
namespace {

using testing::golden_entries;
using testing::kVkey;
using testing::MemoryHashes;

TEST(TileTest, PathsAreThoseOfTheSpecification) {
  EXPECT_EQ(tile_path({.level = 0, .index = 5}), "tile/0/005");
  EXPECT_EQ(tile_path({.level = 63, .index = 1'234'067}), "tile/63/x001/x234/067");
  EXPECT_EQ(tile_path({.level = 0, .index = 273, .width = 112}), "tile/0/273.p/112");
  EXPECT_EQ(tile_path({.level = 1, .index = 1'000, .width = 1}), "tile/1/x001/000.p/1");
  EXPECT_EQ(bundle_path({.index = 1'234'067, .width = 255}), "tile/entries/x001/x234/067.p/255");
  EXPECT_EQ(bundle_path({.index = 0}), "tile/entries/000");
}

TEST(TileTest, ParseReadsWhatIsWritten) {
  for (const std::uint64_t index : {0UL, 999UL, 1'000UL, 1'001'000UL, ~0UL}) {
    for (const unsigned width : {1U, 9U, 10U, 255U, 256U}) {
      const TileId bundle{.level = 0, .index = index, .width = width};
      EXPECT_EQ(parse_bundle_path(bundle_path(bundle)).value(), bundle);
      for (const unsigned level : {0U, 7U, 63U}) {
        const TileId tile{.level = level, .index = index, .width = width};
        EXPECT_EQ(parse_tile_path(tile_path(tile)).value(), tile);
      }
    }
  }
}

TEST(TileTest, ParseRefusesEveryOtherForm) {
  for (const std::string_view place :
       {"",         "5",        "05",          "0005",      "x005",
        "x000/005", "x001/",    "/005",        "001/005",   "x001/x005",
        "X001/005", "x01/005",  "x0001/005",   "x001//005", "00a",
        "-01",      "+01",      " 05",         "005 ",      "005/",
        "005.p",    "005.p/",   "005.p/0",     "005.p/01",  "005.p/256",
        "005.p/-1", "005.p/1/", "005.p/1.p/1", "005.P/1",   "x018/x446/x744/x073/x709/x551/616"}) {
    EXPECT_FALSE(parse_tile_path("tile/0/" + std::string(place))) << place;
    EXPECT_FALSE(parse_bundle_path("tile/entries/" + std::string(place))) << place;
  }
  for (const std::string_view path :
       {"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/005", "tile/64/005", "tile/00/005",
        "tile/-1/005", "tile/ 1/005", "tile//005", "tile/8/0/005", "tile/data/005",
        "tile/entries/005", "Tile/0/005", "tile/0/005\n"}) {
    EXPECT_FALSE(parse_tile_path(path)) << path;
  }
  EXPECT_FALSE(parse_bundle_path("tile/0/005"));
  EXPECT_FALSE(parse_bundle_path("tile/entries"));
  EXPECT_EQ(parse_tile_path("tile/0/" + std::string(1'000, '0')).error().code(),
            ErrorCode::invalid_argument);
}

std::vector<std::string> paths(std::span<const TileId> tiles) {
  std::vector<std::string> out;
  for (const TileId& tile : tiles) out.push_back(tile_path(tile));
  return out;
}

using Paths = std::vector<std::string>;

TEST(TileTest, TreesHaveTheTilesOfTheSpecification) {
  EXPECT_EQ(paths(new_tiles(0, 0)), Paths{});
  EXPECT_EQ(paths(new_tiles(0, 1)), Paths{"tile/0/000.p/1"});
  EXPECT_EQ(paths(new_tiles(0, 256)), (Paths{"tile/0/000", "tile/1/000.p/1"}));
  EXPECT_EQ(paths(new_tiles(0, 257)), (Paths{"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"}));
  EXPECT_EQ(paths(new_tiles(0, 65'536)).back(), "tile/2/000.p/1");
  const Paths big = paths(new_tiles(0, 70'000));
  ASSERT_EQ(big.size(), 273U + 1 + 1 + 1 + 1);
  EXPECT_EQ(Paths(big.end() - 5, big.end()), (Paths{"tile/0/272", "tile/0/273.p/112", "tile/1/000",
                                                    "tile/1/001.p/17", "tile/2/000.p/1"}));
}

TEST(TileTest, GrowthAddsTheTilesThatChanged) {
  EXPECT_EQ(paths(new_tiles(70'000, 70'000)), Paths{});
  EXPECT_EQ(paths(new_tiles(255, 256)), (Paths{"tile/0/000", "tile/1/000.p/1"}));
  EXPECT_EQ(paths(new_tiles(256, 257)), Paths{"tile/0/001.p/1"});
  EXPECT_EQ(paths(new_tiles(300, 513)), (Paths{"tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2"}));
}

TEST(TileTest, TreesHoldTheirOwnTilesAndNoOthers) {
  for (const std::uint64_t size : {1U, 255U, 256U, 257U, 70'000U}) {
    for (TileId tile : new_tiles(0, size)) {
      EXPECT_TRUE(is_in_tree(tile, size));
      if (tile.width == kTileWidth) continue;
      ++tile.width;
      EXPECT_FALSE(is_in_tree(tile, size)) << tile_path(tile);
    }
  }
  EXPECT_TRUE(is_in_tree({.index = 0, .width = 3}, 70'000));  // of an earlier size
  EXPECT_FALSE(is_in_tree({.index = 274, .width = 1}, 70'000));
  EXPECT_FALSE(is_in_tree({.index = ~0UL, .width = 1}, 70'000));
  EXPECT_FALSE(is_in_tree({.level = 8, .width = 1}, ~0UL));
  EXPECT_FALSE(is_in_tree({.level = 63, .width = 1}, ~0UL));
}

TEST(TileTest, HashRangesAreWithinOneTile) {
  for (unsigned height = 0; height < 64; ++height) {
    const std::uint64_t entries = 1UL << height;
    const HashRange range = hash_range({0, entries});
    EXPECT_EQ(range.level, height / 8);
    EXPECT_EQ(range.count, 1UL << (height % 8));
  }
  const HashRange range = hash_range({3 * 65'536, 4 * 65'536});
  EXPECT_EQ(range.level, 2U);
  EXPECT_EQ(range.begin, 3U);
  EXPECT_EQ(range.count, 1U);
}

TEST(EntryBundleTest, WritesTheGoldenBundle) {
  std::vector<std::byte> bundle;
  for (const std::string& entry : golden_entries()) append_to_bundle(bundle, as_bytes(entry));
  EXPECT_EQ(hex(bundle), "00016100026263000000187b226576656e74223a22746f6b656e2e637265617465227d");
  const auto entries = parse_bundle(bundle, 4);
  ASSERT_TRUE(entries);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(as_text((*entries)[i]), golden_entries()[i]);
}

TEST(EntryBundleTest, ParseRefusesCutsAndOtherCounts) {
  std::vector<std::byte> bundle;
  append_to_bundle(bundle, as_bytes("ab"));
  append_to_bundle(bundle, std::vector<std::byte>(kBundleEntryBytesMax));
  ASSERT_TRUE(parse_bundle(bundle, 2));
  for (const std::size_t width : {0U, 1U, 3U}) EXPECT_FALSE(parse_bundle(bundle, width));
  for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 6U, 100U}) {
    EXPECT_FALSE(parse_bundle(std::span(bundle).first(size), 2)) << size;
  }
  bundle.push_back(std::byte{0});
  EXPECT_FALSE(parse_bundle(bundle, 2));
  EXPECT_FALSE(parse_bundle({}, 0));
}

std::filesystem::path big_log() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  const std::filesystem::path vectors =
      folder != nullptr ? folder : std::filesystem::path(SR_SOURCE_DIR) / "../shared/vectors";
  return vectors / "audit/big";
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string bundle_text(const TileId& tile) {
  std::vector<std::byte> bundle;
  for (std::uint64_t i = 0; i < tile.width; ++i) {
    const std::string entry = "entry " + std::to_string(tile.index * kTileWidth + i);
    append_to_bundle(bundle, as_bytes(entry));
  }
  return std::string(as_text(bundle));
}

TEST(TileTest, EveryFileOfALogOf70000EntriesIsAsOthersWroteIt) {
  const std::filesystem::path log = big_log();
  if (!exists(log)) GTEST_SKIP() << "no vectors in " << log << "; set STRONGROOM_VECTORS";
  constexpr std::uint64_t kSize = 70'000;
  MemoryHashes hashes;
  MerkleTree tree;
  for (std::uint64_t i = 0; i < kSize; ++i) {
    const Hash leaf = leaf_hash(as_bytes("entry " + std::to_string(i)));
    hashes.append(leaf);
    tree.append(leaf);
  }
  std::ptrdiff_t files = 1;  // the checkpoint
  for (const TileId& tile : new_tiles(0, kSize)) {
    EXPECT_EQ(read(log / tile_path(tile)), as_text(std::as_bytes(hashes.tile(tile))));
    ++files;
    if (tile.level != 0) continue;
    EXPECT_EQ(read(log / bundle_path(tile)), bundle_text(tile));
    ++files;
  }
  const auto verifier = NoteVerifier::create(*NoteKey::parse(kVkey));
  const auto checkpoint = open_checkpoint(read(log / "checkpoint"), *verifier);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->head(), tree.head());
  const auto there = std::filesystem::recursive_directory_iterator(log);
  EXPECT_EQ(std::count_if(begin(there), end(there),
                          [](const auto& entry) { return entry.is_regular_file(); }),
            files);
}

}  // namespace
}  // namespace strongroom::audit

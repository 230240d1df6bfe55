// Static trees: the one of the vectors verifies, and any change to any of its files is named.
#include "audit/static_tree.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/entry_bundle.h"
#include "audit/testing/golden.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

fs::path vectors() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  const fs::path root = folder != nullptr ? folder : fs::path(SR_SOURCE_DIR) / "../shared/vectors";
  return root / "audit";
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A copy of the small log of the vectors, to be damaged.
class Copy {
 public:
  Copy() {
    std::string folder = ::testing::TempDir() + "sr_static_XXXXXX";
    SR_CHECK(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    renew();
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { fs::remove_all(folder_); }
  void renew() const {
    fs::remove_all(folder_);
    fs::copy(vectors() / "log", folder_, fs::copy_options::recursive);
  }
  [[nodiscard]] const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

class StaticTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!exists(vectors())) GTEST_SKIP() << "no " << vectors() << "; set STRONGROOM_VECTORS";
  }
  Result<StaticTree> verify(const fs::path& folder, const StaticTreeCallbacks& callbacks = {}) {
    return verify_static_tree(files_, folder.string(), key_, callbacks);
  }
  PosixFiles files_;
  NoteVerifier key_ = NoteVerifier::create(NoteKey::parse(testing::kVkey).value()).value();
};

TEST_F(StaticTreeTest, VerifyTellsTheCheckpoint) {
  std::uint64_t done = 0;
  std::uint64_t entries = 0;
  const auto tree =
      verify(vectors() / "big",
             {.progress =
                  [&](std::uint64_t at, std::uint64_t total) {
                    EXPECT_GT(at, done);
                    EXPECT_EQ(total, 70'000U);
                    done = at;
                  },
              .entry = [&](std::uint64_t index,
                           std::span<const std::byte>) { EXPECT_EQ(index, entries++); }});
  ASSERT_TRUE(tree && !tree->bad) << tree->bad->path << tree->bad->what;
  EXPECT_EQ(tree->checkpoint.size, 70'000U);
  EXPECT_EQ(done, 70'000U);
  EXPECT_EQ(entries, 70'000U);
}

TEST_F(StaticTreeTest, PathsAreAllFilesOfTheTree) {
  const fs::path folder = vectors() / "big";
  std::vector<std::string> found;
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    if (each.is_regular_file()) found.push_back(fs::relative(each.path(), folder).string());
  }
  std::vector<std::string> paths = static_tree_paths(70'000);
  EXPECT_EQ(paths.back(), "checkpoint");
  std::ranges::sort(found);
  std::ranges::sort(paths);
  EXPECT_EQ(found, paths);
}

TEST_F(StaticTreeTest, AnyFlippedByteIsNamed) {
  const Copy copy;
  const fs::path& folder = copy.folder();
  for (const std::string& path : static_tree_paths(4)) {
    const std::string bytes = content(folder / path);
    // Behind the log's own signature stands the witness's, which is not this key's to judge.
    const std::size_t judged = path == "checkpoint" ? bytes.rfind("\xe2\x80\x94") : bytes.size();
    for (std::size_t place = 0; place < judged; ++place) {
      std::string damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ 1);
      write(folder / path, damaged);
      const auto tree = verify(folder);
      ASSERT_TRUE(tree && tree->bad) << path << " at byte " << place;
      // A bundle and its tile are held against each other.
      if (path == "checkpoint") {
        EXPECT_EQ(tree->bad->path, path);
      }
    }
    write(folder / path, bytes);
  }
  EXPECT_FALSE(verify(folder)->bad);
}

TEST_F(StaticTreeTest, AbsentOrShorterFileIsNamed) {
  const Copy copy;
  const fs::path& folder = copy.folder();
  for (const std::string& path : static_tree_paths(4)) {
    copy.renew();
    write(folder / path, content(folder / path).substr(1));
    EXPECT_EQ(verify(folder)->bad->path, path);
    fs::remove(folder / path);
    EXPECT_EQ(verify(folder)->bad->path, path);
  }
}

// Takes the entries of `gaps` out of a copy of the big log, and writes what is left of each bundle.
void cut(const fs::path& folder, const StaticGaps& gaps) {
  PosixFiles files;
  for (const TileId& tile : new_tiles(0, 70'000)) {
    if (tile.level != 0) continue;
    const auto whole = read_static_entries(files, folder.string(), tile, {});
    const std::vector<StaticRun> runs = runs_of_bundle(tile, gaps);
    if (runs.size() == 1 && runs[0].path == bundle_path(tile)) continue;
    fs::remove(folder / bundle_path(tile));
    for (const StaticRun& run : runs) {
      std::vector<std::byte> bytes;
      for (std::uint64_t i = run.begin; i < run.end; ++i) {
        append_to_bundle(bytes, *whole->entries[i - tile.index * kTileWidth]);
      }
      fs::create_directories((folder / run.path).parent_path());
      write(folder / run.path, std::string(as_text(bytes)));
    }
  }
  write(folder / kStaticGaps, gaps_text(gaps));
}

const std::string kArchive = "journal-00000000000000000001.archive";
const StaticGaps kGaps{{0, 3, kArchive}, {5, 1'000, kArchive}, {69'990, 70'000, kArchive}};

TEST_F(StaticTreeTest, EntriesInGapsAreNamedAndTheOthersVerified) {
  const Copy copy;
  fs::remove_all(copy.folder());
  fs::copy(vectors() / "big", copy.folder(), fs::copy_options::recursive);
  cut(copy.folder(), kGaps);
  std::vector<std::uint64_t> seen;
  const auto tree =
      verify(copy.folder(),
             {.progress = {}, .entry = [&](std::uint64_t index, auto) { seen.push_back(index); }});
  ASSERT_TRUE(tree && !tree->bad) << tree->bad->path << ": " << tree->bad->what;
  EXPECT_EQ(tree->gaps, kGaps);
  EXPECT_EQ(seen.size(), 70'000U - 3 - 995 - 10);
  EXPECT_EQ(std::vector(seen.begin(), seen.begin() + 3), (std::vector<std::uint64_t>{3, 4, 1'000}));
  for (const std::string& path : static_tree_paths(70'000, kGaps)) {
    EXPECT_TRUE(fs::exists(copy.folder() / path)) << path;
  }
}

TEST_F(StaticTreeTest, WhatGapsLeaveIsNamedWhenItIsAnother) {
  const Copy copy;
  fs::remove_all(copy.folder());
  fs::copy(vectors() / "big", copy.folder(), fs::copy_options::recursive);
  cut(copy.folder(), kGaps);
  const fs::path run = copy.folder() / "at-hand/3-5";
  const std::string bytes = content(run);
  for (const std::size_t place : {std::size_t{0}, std::size_t{1}, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    write(run, damaged);
    ASSERT_TRUE(verify(copy.folder())->bad) << place;
  }
  fs::remove(run);
  EXPECT_EQ(verify(copy.folder())->bad->path, "at-hand/3-5");
  write(run, bytes);
  // A hash that stands for an absent entry is bound by the root.
  const fs::path tile = copy.folder() / "tile/0/000";
  std::string hashes = content(tile);
  hashes[32 * 100] = static_cast<char>(hashes[32 * 100] ^ 1);
  write(tile, hashes);
  EXPECT_EQ(verify(copy.folder())->bad->path, "tile/1/000");
}

TEST(StaticGapsTest, ReadsWhatItWritesAndNothingElse) {
  EXPECT_EQ(*parse_gaps(gaps_text(kGaps), 70'000), kGaps);
  const std::string archive = " " + kArchive + "\n";
  for (const std::string& text : std::vector<std::string>{
           "3 3" + archive, "4 3" + archive, "0 11" + archive, "0 5" + archive + "4 6" + archive,
           "0 5 " + kArchive, "0 5\n", "0  5" + archive, "00 5" + archive, "0 5 other\n", "\n",
           "0 5" + archive + "\n", "-1 5" + archive}) {
    EXPECT_FALSE(parse_gaps(text, 10)) << text;
  }
}

}  // namespace
}  // namespace strongroom::audit

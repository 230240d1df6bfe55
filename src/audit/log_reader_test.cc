// What LogReader gives of a log whose files TreeFiles wrote, also against a tree of 70,000 entries
// written by golang.org/x/mod's rules, and what it says of files that are not what they were.
#include "audit/log_reader.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/checkpoint_files.h"
#include "audit/entry_bundle.h"
#include "audit/journal.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;
using testing::MemoryHashes;

const std::string kLog = "mer_1-2026";

// One log that is the whole journal.
class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() { fs::create_directory(folder_ + "/checkpoints"); }
  ~LogReaderTest() override { fs::remove_all(folder_); }

  // Appends entries in groups of `group`, and has the files take each group's growth.
  void append(std::span<const std::string> entries, std::size_t group = 1'000) {
    if (!journal_) {
      auto reader = JournalReader::open(files_, folder_);
      SR_CHECK(reader && !reader->next()->has_value());
      journal_ =
          *Journal::resume(files_, {.directory = folder_, .segment_bytes_max = 1 << 20}, *reader);
    }
    for (; !entries.empty(); entries = entries.subspan(std::min(group, entries.size()))) {
      const auto now = entries.first(std::min(group, entries.size()));
      for (const std::string& entry : now) journal_->stage(entry);
      SR_CHECK(journal_->commit().has_value());
      for (std::size_t i = 0; i < now.size(); ++i) grow(i);
      SR_CHECK(trees_.write(kLog, growth_).has_value());
      growth_ = {};
    }
  }

  void grow(std::size_t i) {
    if (growth_.empty()) growth_.old_size = tree_.size();
    const Hash leaf = leaf_hash_of_input(journal_->leaf_input(i));
    hashes_.append(leaf);
    tree_.append(leaf, [this](unsigned level, const Hash& hash) {
      if (growth_.levels.size() <= level) growth_.levels.resize(level + 1);
      growth_.levels[level].push_back(hash);
    });
    growth_.places.push_back(journal_->frame_place(i));
  }

  LogReader reader() { return *LogReader::open(files_, folder_, kLog); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void flip(const std::string& file, std::uint64_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const char changed = static_cast<char>(stream.get() ^ 1);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(changed);
  }

  static std::string new_folder() {
    std::string folder = ::testing::TempDir() + "sr_trees_XXXXXX";
    SR_CHECK(::mkdtemp(folder.data()) != nullptr);
    return folder;
  }

  PosixFiles files_;
  const std::string folder_ = new_folder();
  std::unique_ptr<Journal> journal_;
  TreeFiles trees_{files_, folder_};
  MerkleTree tree_;
  MemoryHashes hashes_;
  LogGrowth growth_;
};

std::vector<std::string> numbered(std::size_t count) {
  std::vector<std::string> entries;
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) entries.push_back(fmt::format("entry {}", i));
  return entries;
}

std::string text_of(std::span<const std::byte> bytes) { return std::string(as_text(bytes)); }

fs::path big_log() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  const fs::path vectors =
      folder != nullptr ? folder : fs::path(SR_SOURCE_DIR) / "../shared/vectors";
  return vectors / "audit/big";
}

TEST_F(LogReaderTest, GivesTheGoldenTreeOf70000Entries) {
  const fs::path golden = big_log();
  if (!exists(golden)) GTEST_SKIP() << "no vectors in " << golden << "; set STRONGROOM_VECTORS";
  const auto content = [&](const std::string& name) {
    std::ifstream file(golden / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  append(numbered(70'000), 3'001);
  LogReader log = reader();
  for (const TileId& tile : new_tiles(0, 70'000)) {
    ASSERT_EQ(text_of(*log.tile(tile)), content(tile_path(tile))) << tile_path(tile);
    if (tile.level > 0) continue;
    ASSERT_EQ(text_of(*log.bundle(tile)), content(bundle_path(tile))) << bundle_path(tile);
  }
  EXPECT_EQ(*tree_hash(log, 70'000), tree_.root());
}

TEST_F(LogReaderTest, HoldsEveryLevelAroundItsEdges) {
  const std::vector<std::string> entries = numbered(65'537);
  std::size_t size = 0;
  for (const std::size_t next : {1U, 255U, 256U, 257U, 65'535U, 65'536U, 65'537U}) {
    append(std::span(entries).subspan(size, next - size), 7'777);
    size = next;
    LogReader log = reader();
    for (unsigned level = 0; size >> (8 * level) > 0; ++level) {
      EXPECT_EQ(fs::file_size(level_path(folder_, kLog, level)), 32 * (size >> (8 * level)));
    }
    EXPECT_FALSE(fs::exists(level_path(folder_, kLog, size < 256 ? 1 : size < 65'536 ? 2 : 3)));
    EXPECT_EQ(fs::file_size(places_path(folder_, kLog)), 12 * size);
    EXPECT_EQ(*tree_hash(log, size), tree_.root());
    EXPECT_EQ(text_of(*log.entry(size - 1)), entries[size - 1]);
    EXPECT_EQ(*inclusion_proof(log, size / 2, size), *inclusion_proof(hashes_, size / 2, size));
    EXPECT_EQ(log.entry(size).error().code(), ErrorCode::not_found);
    EXPECT_EQ(log.tile({.level = 4, .index = 0, .width = 1}).error().code(), ErrorCode::not_found);
    EXPECT_EQ(log.tile({.index = UINT64_MAX}).error().code(), ErrorCode::not_found);
  }
}

TEST_F(LogReaderTest, KnowsWhichLogsThereAre) {
  EXPECT_TRUE(list_logs(files_, folder_)->empty());
  append(numbered(1));
  fs::create_directory(path("trees/lost+found"));
  EXPECT_EQ(*list_logs(files_, folder_), std::vector<std::string>{kLog});
  for (const char* name : {"mer_2-2026", "", "mer_1", "../trees/mer_1-2026", "mer_1-2026/"}) {
    EXPECT_EQ(LogReader::open(files_, folder_, name).error().code(), ErrorCode::not_found) << name;
  }
}

TEST_F(LogReaderTest, GivesTheNewestNoteAndTheCosignedOneOfTheSameTree) {
  append(numbered(3));
  LogReader log = reader();
  EXPECT_EQ(log.newest_note().error().code(), ErrorCode::not_found);
  const crypto::Ed25519Signer signer = testing::golden_signer();
  const std::string older = sign_checkpoint({"a/b/mer_1/2026", 2, {}}, signer);
  const std::string newest = sign_checkpoint({"a/b/mer_1/2026", 3, tree_.root()}, signer);
  const std::string line = "\xE2\x80\x94 witness AAAA\n";
  std::ofstream(checkpoint_path(folder_, kLog)) << older << newest << newest.substr(0, 70);
  EXPECT_EQ(*log.newest_note(), newest) << "and not the one that is being written";
  std::ofstream(cosigned_path(folder_, kLog)) << older << line;
  EXPECT_EQ(*log.newest_note(), newest);
  std::ofstream(cosigned_path(folder_, kLog)) << newest << line;
  EXPECT_EQ(*log.newest_note(), newest + line);
}

TEST_F(LogReaderTest, GivesNoEntryThatIsNotTheTrees) {
  append(numbered(300));
  const std::string segment = path(segment_name(1));
  flip(segment, 32 + 16);  // the first entry's first byte
  EXPECT_EQ(reader().entry(0).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(reader().bundle({.index = 0}).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(text_of(*reader().entry(1)), "entry 1");
  flip(level_path(folder_, kLog, 0), 32);
  EXPECT_EQ(reader().entry(1).error().code(), ErrorCode::corrupt);
  flip(places_path(folder_, kLog), 2 * 12 + 11);
  EXPECT_EQ(reader().entry(2).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(text_of(*reader().entry(3)), "entry 3");
  fs::remove(segment);
  EXPECT_EQ(reader().entry(3).error().code(), ErrorCode::not_found);
}

TEST_F(LogReaderTest, WhatIsOlderThanTheJournalIsGoneUnlessItWasRestored) {
  std::vector<std::string> entries(2'000, std::string(900, 'x'));  // more than a segment
  append(entries);
  ASSERT_TRUE(fs::exists(path(segment_name(1))));
  const auto segments = *list_segments(files_, folder_);
  ASSERT_GE(segments.size(), 2U);
  fs::create_directory(path("restored"));
  fs::rename(path(segments[0]), path("restored/" + segments[0]));
  LogReader log = reader();
  EXPECT_TRUE(log.entry(0));
  fs::remove(path("restored/" + segments[0]));
  EXPECT_TRUE(log.entry(0)) << "it is open";
  log = reader();
  EXPECT_EQ(log.entry(0).error().code(), ErrorCode::gone);
  EXPECT_EQ(log.bundle({.index = 0}).error().code(), ErrorCode::gone);
  EXPECT_TRUE(log.entry(1'999));
  EXPECT_EQ(log.entry(0).error().code(), ErrorCode::gone) << "between entries at hand";
  fs::remove(path(segments.back()));
  EXPECT_EQ(reader().entry(1'999).error().code(), ErrorCode::not_found) << "it never left";
}

TEST_F(LogReaderTest, FilesTakeTheSameTwiceButNoHole) {
  append(numbered(300));
  const std::string level = level_path(folder_, kLog, 0);
  std::ifstream file(level, std::ios::binary);
  const std::string before(std::istreambuf_iterator<char>(file), {});
  LogReader log = reader();
  LogGrowth last{.old_size = 299, .levels = {std::vector<Hash>(1)}, .places = {{1, 32}}};
  ASSERT_TRUE(log.read(0, 299, last.levels[0]));
  EXPECT_TRUE(trees_.write(kLog, last));
  EXPECT_EQ(fs::file_size(level), before.size());
  last.old_size = 301;
  EXPECT_EQ(trees_.write(kLog, last).error().code(), ErrorCode::corrupt);
  EXPECT_TRUE(trees_.cut(kLog, 255));
  EXPECT_EQ(fs::file_size(level), 255U * 32);
  EXPECT_EQ(fs::file_size(level_path(folder_, kLog, 1)), 0U);
  EXPECT_EQ(fs::file_size(places_path(folder_, kLog)), 255U * 12);
}

}  // namespace
}  // namespace strongroom::audit

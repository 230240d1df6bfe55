// An export of an operator's and two merchants' logs: in order, and with a log missing, cut, or
// another than the operator's entries tell.
#include "audit/static_export.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "audit/entry_bundle.h"
#include "audit/logs.h"
#include "audit/static_tree.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "audit/tile.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;
using Entries = std::vector<std::string>;

constexpr std::string_view kPlace = "test.example/auditd";

void write(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

Checkpoint checkpoint_of(const std::string& log, const Entries& entries) {
  MerkleTree tree;
  for (const std::string& entry : entries) tree.append(leaf_hash(as_bytes(entry)));
  return {fmt::format("{}/{}", kPlace, log), tree.size(), tree.root()};
}

// A log.checkpoint, or another kind, that tells of what `log` came to with `entries`.
std::string told(const std::string& log, const Entries& entries,
                 EventType type = EventType::log_checkpoint) {
  const Checkpoint checkpoint = checkpoint_of(log, entries);
  Entry entry{.uid = {.bytes = {std::byte{7}}},
              .event_type = type,
              .outcome = Outcome::success,
              .time_us = 1'795'298'400'000'000,
              .instance = "auditd",
              .resources = {checkpoint.origin},
              .tree_size = checkpoint.size,
              .tree_root = checkpoint.root};
  if (type == EventType::log_break) entry.reason = "restored";
  return to_json(entry);
}

class StaticExportTest : public ::testing::Test {
 protected:
  StaticExportTest() {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    for (int i = 0; i < 300; ++i) long_.push_back(fmt::format("entry {}", i));
    write_log("mer_1/2026", long_);
    write_log("mer_2/2026", {"a"});
    write_log("operator/2026", {"b", told("mer_1/2026", first(257)), told("mer_2/2026", {"a"}),
                                told("mer_1/2026", first(300))});
    write(fs::path(folder_) / kExportVkey, key("operator/2026").text() + "\n");
  }
  ~StaticExportTest() override { fs::remove_all(folder_); }

  Entries first(std::ptrdiff_t count) const { return {long_.begin(), long_.begin() + count}; }

  NoteKey key(const std::string& log) const {
    return {fmt::format("{}/{}", kPlace, log), signer_.public_key()};
  }

  // Leaves nothing of an earlier one.
  void write_log(const std::string& log, const Entries& entries) {
    const fs::path folder = fs::path(folder_) / log;
    fs::remove_all(folder);
    testing::MemoryHashes hashes;
    for (const std::string& entry : entries) hashes.append(leaf_hash(as_bytes(entry)));
    for (const TileId& tile : new_tiles(0, entries.size())) {
      write(folder / tile_path(tile), as_text(std::as_bytes(hashes.tile(tile))));
      if (tile.level != 0) continue;
      std::vector<std::byte> bundle;
      for (unsigned i = 0; i < tile.width; ++i) {
        append_to_bundle(bundle, as_bytes(entries[tile.index * kTileWidth + i]));
      }
      write(folder / bundle_path(tile), as_text(bundle));
    }
    write(folder / kStaticCheckpoint, sign_checkpoint(checkpoint_of(log, entries), signer_));
    write(folder / kStaticVkey, key(log).text() + "\n");
  }

  void remove(const std::string& log) { fs::remove_all(fs::path(folder_) / log); }

  StaticExport verify() {
    auto result = verify_static_export(files_, folder_, key("operator/2026"));
    SR_CHECK(result.has_value());
    return *std::move(result);
  }

  void expect_bad(std::string_view what, const std::string& path, std::uint64_t tree_size,
                  const std::string& record) {
    const StaticExport result = verify();
    ASSERT_TRUE(result.bad) << what;
    EXPECT_EQ(result.bad->what, what);
    EXPECT_EQ(result.bad->path, path);
    EXPECT_EQ(result.bad->tree_size, tree_size);
    EXPECT_EQ(result.bad->record, record);
  }

  PosixFiles files_;
  crypto::Ed25519Signer signer_ = testing::golden_signer();
  std::string folder_ = ::testing::TempDir() + "sr_export_XXXXXX";
  Entries long_;
};

TEST_F(StaticExportTest, AcceptsWhatTheOperatorsLogTells) {
  std::map<std::string, std::uint64_t> done;
  const auto result = verify_static_export(
      files_, folder_, key("operator/2026"),
      [&](const std::string& log, std::uint64_t at, std::uint64_t) { done[log] = at; });
  ASSERT_TRUE(result && !result->bad) << result->bad->what << " " << result->bad->path;
  EXPECT_TRUE(result->complete);
  ASSERT_EQ(result->checkpoints.size(), 3U);
  EXPECT_EQ(
      result->checkpoints[2],
      checkpoint_of("operator/2026", {"b", told("mer_1/2026", first(257)),
                                      told("mer_2/2026", {"a"}), told("mer_1/2026", first(300))}));
  EXPECT_EQ(done["mer_1/2026"], 300U);
  EXPECT_EQ(done["operator/2026"], 4U);
}

TEST_F(StaticExportTest, NamesALogThatIsMissing) {
  remove("mer_2/2026");
  expect_bad("is missing", "mer_2/2026", 1, "operator/2026, entry 2");
  remove("mer_1/2026");
  expect_bad("is missing", "mer_1/2026", 257, "operator/2026, entry 1");
}

// The log's key may have signed both.
TEST_F(StaticExportTest, NamesALogThatWasCutAndSignedForAgain) {
  write_log("mer_1/2026", first(299));
  expect_bad("has lost entries", "mer_1/2026", 300, "operator/2026, entry 3");
  write_log("mer_1/2026", first(256));
  expect_bad("has lost entries", "mer_1/2026", 257, "operator/2026, entry 1");
}

TEST_F(StaticExportTest, NamesALogOfAnotherHistory) {
  long_[258] = "another";
  write_log("mer_1/2026", long_);
  expect_bad("holds other entries", "mer_1/2026", 300, "operator/2026, entry 3");
  long_[0] = "another";
  write_log("mer_1/2026", long_);
  expect_bad("holds other entries", "mer_1/2026", 257, "operator/2026, entry 1");
}

// The next year's begins with what the one before had come to, and a break says the same.
TEST_F(StaticExportTest, HoldsTheOperatorsLogsAgainstEachOther) {
  const std::string next = "operator/2026b20261122T150000Z";
  write_log(next, {told("operator/2026", {"b"}, EventType::log_break)});
  EXPECT_FALSE(verify().bad);
  write_log(next, {told("operator/2026", {"c"}, EventType::log_break)});
  expect_bad("holds other entries", "operator/2026", 1, next + ", entry 0");
  write_log(next, {told("operator/2025", {"c"})});
  expect_bad("is missing", "operator/2025", 1, next + ", entry 0");
  write_log(next, {"\"tree_root\""});
  expect_bad("holds an entry that tells of a log in another form", next, 0, next + ", entry 0");
}

// Late entries of a past year, after a break: that shard's name sorts before the one it tells of.
TEST_F(StaticExportTest, HoldsALogAgainstOneThatIsVerifiedLater) {
  const std::string earlier = "mer_1/2025b20261122T150000Z", later = "mer_1/2026b20261122T150000Z";
  write_log(earlier, {told(later, {"c"})});
  write_log(later, {"c", "d"});
  EXPECT_FALSE(verify().bad);
  write_log(later, {"d", "c"});
  expect_bad("holds other entries", later, 1, earlier + ", entry 0");
  remove(later);
  expect_bad("is missing", later, 1, earlier + ", entry 0");
}

TEST_F(StaticExportTest, LetsLogsOfOneMerchantStandForThemselves) {
  remove("operator");
  const StaticExport two = verify();
  ASSERT_TRUE(two.bad);
  EXPECT_EQ(two.bad->what, "the operator's logs, which tell of the others, are missing");
  remove("mer_2");
  StaticExport one = verify();
  EXPECT_FALSE(one.bad);
  EXPECT_FALSE(one.complete);
  write_log("mer_1/2027", {told("mer_1/2026", long_)});
  EXPECT_FALSE(verify().bad);
  write_log("mer_1/2027", {told("mer_1/2026", first(299))});
  EXPECT_FALSE(verify().bad);
  write_log("mer_1/2027", {told("mer_1/2026", {"a"})});
  expect_bad("holds other entries", "mer_1/2026", 1, "mer_1/2027, entry 0");
  remove("mer_1/2026");
  EXPECT_FALSE(verify().bad) << "asked for by itself";
}

TEST_F(StaticExportTest, NamesOtherKeysAndStrangeFiles) {
  const fs::path folder = folder_;
  write(folder / "operator/more", "");
  expect_bad("belongs to no checkpoint", "operator/more", 0, "");
  fs::remove(folder / "operator/more");
  write(folder / "mer_2/2026/vkey", key("mer_1/2026").text() + "\n");
  expect_bad("another key", "mer_2/2026/vkey", 0, "");
  write(folder / "mer_2/2026/vkey", key("mer_2/2026").text() + "\n");
  write(folder / kUnfinishedName, "--all\n");
  expect_bad("unfinished export: run strongroom audit export again", "unfinished", 0, "");
  fs::remove(folder / kUnfinishedName);
  fs::remove(folder / kExportVkey);
  expect_bad("another key", "audit.vkey", 0, "");
  write(folder / "mer_1/2026/tile/0/000", "");
  expect_bad("tile has another length", "mer_1/2026/tile/0/000", 0, "");
  fs::remove_all(folder / "mer_1");
  fs::create_directories(folder / "mer+1/2026");
  expect_bad("no such file", "mer+1/2026/checkpoint", 0, "");
  EXPECT_EQ(verify_static_export(files_, folder_, {"a", signer_.public_key()}).error().code(),
            ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace strongroom::audit

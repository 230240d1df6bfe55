// What the library gives is what the formats' own verifiers accept, and no more than is signed.
#include "connected/relay/log_files.h"

#include <gtest/gtest.h>

#include "audit/entry_bundle.h"
#include "audit/proof_file.h"
#include "base/encoding.h"
#include "connected/relay/testing/audit_folder.h"

namespace strongroom::connected::relay {
namespace {

using testing::AuditFolder;

class LogFilesTest : public ::testing::Test {
 protected:
  std::vector<std::string> append(std::size_t count) {
    std::vector<audit::Entry> entries;
    entries.reserve(count);
    for (std::size_t i = 0; i < count; ++i) entries.push_back(folder_.entry("mer_1"));
    return folder_.append(entries);
  }
  static audit::NoteVerifier verifier() {
    return *audit::NoteVerifier::create(
        {.name = "test.example/auditd/mer_1/2026",
         .public_key = audit::testing::golden_signer().public_key()});
  }

  AuditFolder folder_;
  LogFiles logs_{folder_.files(), folder_.directory()};
};

TEST_F(LogFilesTest, TilesGiveTheRootOfTheCheckpoint) {
  const auto entries = append(300);
  folder_.sign();
  const auto note = logs_.checkpoint("mer_1-2026");
  ASSERT_TRUE(note);
  const auto checkpoint = audit::open_checkpoint(*note, verifier());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->size, 300);
  audit::MerkleTree tree;
  for (const auto& id : {audit::TileId{0, 0, 256}, audit::TileId{0, 1, 44}}) {
    const auto tile = logs_.tile("mer_1-2026", id);
    const auto bundle = logs_.bundle("mer_1-2026", id);
    ASSERT_TRUE(tile && bundle);
    EXPECT_EQ(tile->size(), id.width * 32);
    const auto parsed = audit::parse_bundle(as_bytes(*bundle), id.width);
    ASSERT_TRUE(parsed);
    for (std::size_t i = 0; i < id.width; ++i) {
      EXPECT_EQ(as_text((*parsed)[i]), entries[id.index * 256 + i]);
      tree.append(audit::leaf_hash((*parsed)[i]));
    }
  }
  EXPECT_EQ(tree.root(), checkpoint->root);
}

TEST_F(LogFilesTest, ProofsVerifyAgainstEntryAndKey) {
  const auto entries = append(5);
  folder_.sign();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto text = logs_.proof("mer_1-2026", i);
    ASSERT_TRUE(text);
    const auto file = audit::parse_proof_file(*text);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->index, i);
    EXPECT_TRUE(audit::verify_proof_file(*file, as_bytes(entries[i]), verifier()));
    EXPECT_FALSE(audit::verify_proof_file(*file, as_bytes(entries[(i + 1) % 5]), verifier()));
  }
}

TEST_F(LogFilesTest, WhatIsNotSignedForIsNotShown) {
  append(3);
  folder_.sign();
  append(2);
  EXPECT_TRUE(logs_.tile("mer_1-2026", {0, 0, 3}));
  EXPECT_TRUE(logs_.proof("mer_1-2026", 2));
  EXPECT_EQ(logs_.tile("mer_1-2026", {0, 0, 4}).error().code(), ErrorCode::not_found);
  EXPECT_EQ(logs_.bundle("mer_1-2026", {0, 0, 5}).error().code(), ErrorCode::not_found);
  EXPECT_EQ(logs_.proof("mer_1-2026", 3).error().code(), ErrorCode::not_found);
}

TEST_F(LogFilesTest, AbsentLogsAreNotFound) {
  append(1);
  folder_.sign();
  for (const char* log : {"mer_2-2026", "mer_1-2025", "../checkpoints", ""}) {
    EXPECT_EQ(logs_.checkpoint(log).error().code(), ErrorCode::not_found) << log;
  }
}

TEST_F(LogFilesTest, ReadsEntriesOfSeveralLogsAndLeavesTheAbsentEmpty) {
  const auto mine = append(2);
  const auto operators = folder_.append({folder_.entry("")});
  const std::vector<EntryPlace> places{
      {"mer_1-2026", 1}, {"operator-2026", 0}, {"mer_1-2020", 0}, {"mer_1-2026", 0}};
  const auto entries = logs_.entries(places);
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries, (std::vector<std::string>{mine[1], operators[0], "", mine[0]}));
}

TEST_F(LogFilesTest, DamageIsNamed) {
  auto marked = folder_.entry("mer_1");
  marked.gateway_token = "tok_marked";
  folder_.append({marked});
  folder_.sign();
  folder_.damage("tok_marked");
  const std::vector<EntryPlace> places{{"mer_1-2026", 0}};
  EXPECT_EQ(logs_.entries(places).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(logs_.bundle("mer_1-2026", {0, 0, 1}).error().code(), ErrorCode::corrupt);
}

}  // namespace
}  // namespace strongroom::connected::relay

// One flipped byte in any file of an audit log is found, and named; and what verification makes of
// a journal whose oldest segments are gone.
#include <gtest/gtest.h>

#include "audit/snapshot_signature.h"
#include "audit/testing/verify_fixture.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

class VerifyFlipTest : public testing::VerifyFixture {
 protected:
  static constexpr int kGroups = 22;

  // Two logs in several segments, one of them of a tree of two levels.
  VerifyFlipTest() {
    segment_bytes_max_ = 40'000;
    for (int group = 0; group < kGroups; ++group) {
      std::vector<Entry> entries{entry()};
      for (int i = 0; i < 12; ++i) entries.push_back(entry("mer_1"));
      append(entries, group % 5 == 4 || group == kGroups - 1);
    }
    cosign_operators();
    constexpr std::string_view kContent = "a snapshot";
    std::vector<std::byte> snapshot;
    append_bytes(snapshot, as_bytes(kContent));
    sign_snapshot(snapshot, signer_);
    write(path("snapshot"), std::string(as_text(snapshot)));
  }

  // Flips bytes of `name`, `stride` apart, each for the time of one verification; the report must
  // name the file, and then pleases `more`.
  void expect_each_named(
      const std::string& name, std::size_t stride,
      const std::function<void(const BadPlace&, std::size_t)>& more = [](const BadPlace&,
                                                                         std::size_t) {}) {
    const std::size_t size = fs::file_size(path(name));
    ASSERT_GT(size, 0U) << name;
    for (std::size_t i = 0; i < size;
         i += i + stride < size ? stride : std::max(size - i - 1, 1UL)) {
      flip(path(name), i);
      const VerifyReport report = verify();
      flip(path(name), i);
      ASSERT_FALSE(report.ok()) << name << " at byte " << i;
      EXPECT_EQ(report.bad->file, name) << "at byte " << i << ": " << report.bad->what;
      EXPECT_LE(report.bad->offset_bytes, i);
      more(*report.bad, i);
    }
    ASSERT_TRUE(verify().ok()) << verify().bad->what;
  }

  std::vector<std::string> segments() { return *list_segments(files_, folder_); }
};

TEST_F(VerifyFlipTest, NamesTheFrameOrHeaderOfASegment) {
  ASSERT_GT(segments().size(), 3U);
  for (const std::string& name : {segments().front(), segments()[1], segments().back()}) {
    expect_each_named(name, 2'971);
    for (const std::size_t i : {0U, 8U, 20U, 31U}) {  // of the header
      flip(path(name), i);
      EXPECT_EQ(verify().bad->file, name);
      EXPECT_EQ(verify().bad->offset_bytes, 0U);
      flip(path(name), i);
    }
  }
}

TEST_F(VerifyFlipTest, NamesTheHashOfATree) {
  for (const std::string log : {"mer_1-2026", "operator-2026"}) {
    expect_each_named("trees/" + log + "/level-0", 457, [&](const BadPlace& bad, std::size_t at) {
      EXPECT_EQ(bad.what, "a file of a log's tree differs from the journal");
      EXPECT_EQ(bad.offset_bytes, at);
      EXPECT_EQ(bad.log, log);
      EXPECT_EQ(bad.index_begin, at / 32);
      EXPECT_EQ(bad.index_end, at / 32 + 1);
    });
  }
  expect_each_named("trees/mer_1-2026/level-1", 5, [&](const BadPlace& bad, std::size_t at) {
    EXPECT_EQ(bad.offset_bytes, at);
    EXPECT_EQ(bad.index_begin, 0U);
    EXPECT_EQ(bad.index_end, 256U);
  });
}

TEST_F(VerifyFlipTest, NamesThePlaceOfAnEntry) {
  expect_each_named("trees/mer_1-2026/places", 211, [&](const BadPlace& bad, std::size_t at) {
    EXPECT_EQ(bad.offset_bytes, at);
    EXPECT_EQ(bad.index_begin, at / 12);
    EXPECT_EQ(bad.index_end, at / 12 + 1);
  });
}

TEST_F(VerifyFlipTest, NamesTheCheckpoint) {
  for (const std::string log : {"mer_1-2026", "operator-2026"}) {
    expect_each_named("checkpoints/" + log + ".log", 7);
  }
}

TEST_F(VerifyFlipTest, NamesTheRecordOfTheLastSigned) { expect_each_named("last-signed", 1); }

TEST_F(VerifyFlipTest, NamesTheCosignedCheckpoint) {
  expect_each_named("checkpoints/operator-2026.cosigned", 1);
}

TEST_F(VerifyFlipTest, NamesTheSnapshot) { expect_each_named("snapshot", 1); }

// The frame's CRC is made right again: the tree's file and the signed root tell which entry it is.
TEST_F(VerifyFlipTest, NamesTheOneEntryThatWasRewritten) {
  for (const auto& name : segments()) fs::remove(path(name) + ".aside");
  segment_bytes_max_ = std::uint64_t{64} << 20;
  start_anew();
  std::vector<Entry> entries(40, entry("mer_1"));
  for (Entry& each : entries) each.uid = crypto::new_entry_id(random_, clock_);
  append(entries, true);
  rewrite([](std::vector<std::string>& all) {
    all[17].replace(all[17].find("someone"), 7, "nobody.");
  });
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "an entry differs from the one that was signed for");
  EXPECT_EQ(report.bad->file, segment_name(1));
  EXPECT_EQ(report.bad->sequence, 18U);
  EXPECT_EQ(report.bad->index_begin, 17U);
  EXPECT_EQ(report.bad->index_end, 18U);
}

TEST_F(VerifyFlipTest, WantsFilesOfTreesThatReachTheirCheckpoints) {
  for (const std::string name : {"level-0", "level-1", "places"}) {
    const std::string file = path("trees/mer_1-2026/" + name);
    const std::string bytes = read(file);
    write(file, bytes + "more");
    EXPECT_TRUE(verify().ok()) << "they may be longer";
    write(file, bytes.substr(0, bytes.size() - 1));
    VerifyReport report = verify();
    ASSERT_FALSE(report.ok()) << name;
    EXPECT_EQ(report.bad->what, "a file of a log's tree ends too early");
    EXPECT_EQ(report.bad->file, "trees/mer_1-2026/" + name);
    EXPECT_EQ(report.bad->offset_bytes, bytes.size() - 1);
    fs::remove(file);
    report = verify();
    ASSERT_FALSE(report.ok()) << name;
    EXPECT_EQ(report.bad->offset_bytes, 0U);
    write(file, bytes);
  }
  append({entry("mer_1")}, false);
  const std::string file = path("trees/mer_1-2026/level-0");
  write(file, read(file).substr(0, fs::file_size(file) - 32));
  EXPECT_TRUE(verify().ok()) << "nobody has signed for more yet";
}

TEST_F(VerifyFlipTest, TakesTheHashesOfSegmentsThatAreGoneFromTheTrees) {
  const std::uint64_t all = verify().entries;
  const std::string third = segments()[2];
  const std::uint64_t before = std::stoull(third.substr(8, 20)) - 1;
  fs::remove(path(segments()[0]));
  fs::remove(path(segments()[0]));
  const VerifyReport report = verify();
  ASSERT_TRUE(report.ok()) << report.bad->what;
  EXPECT_EQ(report.unread_entries, before);
  EXPECT_EQ(report.entries, all - before);
  EXPECT_EQ(report.unsigned_entries, 0U);

  // What is not in the journal any more is proved by the checkpoints.
  flip(path("trees/mer_1-2026/level-0"), 40);
  VerifyReport bad = verify();
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.bad->what, "entries differ from those that were signed for");
  EXPECT_EQ(bad.bad->log, "mer_1-2026");
  EXPECT_EQ(bad.bad->index_begin, 0U);
  EXPECT_EQ(bad.bad->file, "trees/mer_1-2026/level-0");
  flip(path("trees/mer_1-2026/level-0"), 40);
  flip(path("trees/mer_1-2026/level-1"), 3);
  EXPECT_EQ(verify().bad->file, "trees/mer_1-2026/level-1");
  flip(path("trees/mer_1-2026/level-1"), 3);
  expect_each_named(segments().front(), 9'973);
  ASSERT_TRUE(verify().ok());

  fs::rename(path("trees/operator-2026"), path("aside"));
  EXPECT_EQ(verify().bad->what, "segments are gone, and the trees tell of other entries");
  fs::rename(path("aside"), path("trees/operator-2026"));
  fs::remove(path("trees/operator-2026/level-0"));
  EXPECT_EQ(verify().bad->what, "a tree lacks hashes of entries that are not in the journal");
}

TEST_F(VerifyFlipTest, MissesASegmentBetweenOthers) {
  fs::remove(path(segments()[1]));
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->file, segments()[1]);
}

TEST_F(VerifyFlipTest, MissesTheRecordOfALog) {
  const std::string record = read(path("last-signed"));
  write(path("last-signed"), record.substr(record.find('\n') + 1));
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "a log's last signed checkpoint is not recorded");
  EXPECT_EQ(report.bad->file, "last-signed");
}

TEST_F(VerifyFlipTest, HoldsACosignedCheckpointAgainstItsLog) {
  const std::string origin = log_origin(testing::kPlace, "operator-2026");
  const std::string file = path("checkpoints/operator-2026.cosigned");
  write(file, sign_checkpoint({origin, 3, Hash{}}, signer_));
  EXPECT_EQ(verify().bad->what, "a cosigned checkpoint differs from its log");
  write(file, sign_checkpoint({origin, 23, Hash{}}, signer_));
  EXPECT_EQ(verify().bad->what, "a cosigned checkpoint is of more than the log holds");
  EXPECT_EQ(verify().bad->index_begin, 22U);
}

// The names of the logs go on as the break has it, though the entry is gone that tells of it.
TEST_F(VerifyFlipTest, KnowsABreakInSegmentsThatAreGone) {
  start_anew();
  append({entry(), entry("mer_1")}, true);
  Entry broken = entry();
  broken.event_type = EventType::log_break;
  broken.instance = "auditd";
  broken.reason = "restored";
  broken.resources = {log_origin(testing::kPlace, "operator-2026")};
  broken.tree_size = logs_.find("operator-2026")->tree.size();
  broken.tree_root = logs_.find("operator-2026")->tree.root();
  append({broken}, true);
  for (int i = 0; i < 3; ++i) {
    std::vector<Entry> entries;
    for (int j = 0; j < 60; ++j) entries.push_back(entry("mer_1"));
    append(entries, true);
  }
  ASSERT_TRUE(verify().ok()) << verify().bad->what;
  ASSERT_GT(segments().size(), 1U);
  fs::remove(path(segments()[0]));
  const VerifyReport report = verify();
  ASSERT_TRUE(report.ok()) << report.bad->what << report.bad->log;
  EXPECT_GT(report.unread_entries, 2U);
}

}  // namespace
}  // namespace strongroom::audit

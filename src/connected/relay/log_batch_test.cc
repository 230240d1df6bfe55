// Logs that are followed take turns.
#include "connected/relay/log_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "connected/relay/testing/audit_folder.h"

namespace strongroom::connected::relay {
namespace {

class LogBatchTest : public ::testing::Test {
 protected:
  void append(const std::string& merchant, std::size_t count) {
    std::vector<audit::Entry> entries;
    for (std::size_t i = 0; i < count; ++i) entries.push_back(folder_.entry(merchant));
    folder_.append(entries);
    sizes_[merchant + "-2026"] += count;
  }
  // Follows by one batch; the logs it read, in its order.
  std::vector<std::string> follow(std::size_t entries_max) {
    const LogBatch batch = turns_.next(followed_, sizes_, entries_max);
    EXPECT_LE(batch.entries.size(), entries_max);
    unreadable_ = batch.unreadable;
    std::vector<std::string> logs;
    for (const FollowedEntry& entry : batch.entries) {
      EXPECT_EQ(entry.place.index, followed_[entry.place.log]++) << "without gaps";
      if (logs.empty() || logs.back() != entry.place.log) logs.push_back(entry.place.log);
    }
    return logs;
  }

  testing::AuditFolder folder_;
  LogSizes sizes_, followed_;
  std::vector<UnreadableEntry> unreadable_;
  LogTurns turns_{folder_.files(), folder_.directory(), AtArchived::stop};
};

TEST_F(LogBatchTest, ABusyLogKeepsNoOtherWaiting) {
  constexpr std::size_t kEntries = 4;
  append("mer_a", 2 * kEntries);
  append("mer_b", 1);
  append("mer_c", 1);
  EXPECT_EQ(follow(kEntries), std::vector<std::string>{"mer_a-2026"});
  append("mer_a", 2 * kEntries);  // faster than it is followed
  EXPECT_EQ(follow(kEntries), (std::vector<std::string>{"mer_b-2026", "mer_c-2026", "mer_a-2026"}));
  append("mer_a", 2 * kEntries);
  append("mer_c", 1);
  EXPECT_EQ(follow(kEntries), (std::vector<std::string>{"mer_c-2026", "mer_a-2026"}))
      << "mer_b has nothing new";
  while (followed_ != sizes_) ASSERT_EQ(follow(kEntries), std::vector<std::string>{"mer_a-2026"});
  EXPECT_TRUE(follow(kEntries).empty());
}

// With as many busy logs as there are, each is read before any is read again.
TEST_F(LogBatchTest, EachHasItsTurn) {
  for (const char* merchant : {"mer_a", "mer_b", "mer_c", "mer_d", "mer_e"}) append(merchant, 12);
  for (int round = 0; round < 3; ++round) {
    std::set<std::string> read;
    for (int turn = 0; turn < 5; ++turn) {
      const auto logs = follow(4);
      read.insert(logs.begin(), logs.end());
    }
    EXPECT_EQ(read.size(), 5U) << round;
  }
  EXPECT_EQ(followed_, sizes_);
}

TEST_F(LogBatchTest, DamageIsToldAlsoInTheTurnsOfOthers) {
  append("mer_a", 8);
  const auto bad = folder_.append({folder_.entry("mer_b")});
  sizes_["mer_b-2026"] = 1;
  folder_.damage(bad[0]);
  EXPECT_EQ(follow(4), std::vector<std::string>{"mer_a-2026"});
  EXPECT_TRUE(unreadable_.empty()) << "it was not looked at";
  const std::vector<UnreadableEntry> met{{.place = {"mer_b-2026", 0}}};
  EXPECT_EQ(follow(4), std::vector<std::string>{"mer_a-2026"});
  EXPECT_EQ(unreadable_, met);
  append("mer_a", 8);
  append("mer_c", 4);
  EXPECT_EQ(follow(4), std::vector<std::string>{"mer_c-2026"});
  EXPECT_EQ(unreadable_, met) << "nobody read it meanwhile";
  std::string damaged = bad[0];
  damaged[0] = static_cast<char>(damaged[0] ^ 1);
  folder_.damage(damaged);  // which mends it
  while (followed_ != sizes_) ASSERT_FALSE(follow(4).empty());
  EXPECT_TRUE(unreadable_.empty());
}

// Files that somebody removed, not auditd: neither is the newest of its kind.
TEST_F(LogBatchTest, AMissingSegmentIsToldAndKeepsNoOtherWaiting) {
  append("mer_a", 1);
  folder_.append({folder_.entry("mer_a")}, true);
  sizes_["mer_a-2026"] += 1;
  folder_.append({folder_.entry("mer_a")}, true);
  sizes_["mer_a-2026"] += 1;
  append("mer_b", 1);
  const std::string middle = folder_.directory() + "/" + audit::segment_name(2);
  std::filesystem::rename(middle, middle + ".away");
  EXPECT_EQ(follow(8), (std::vector<std::string>{"mer_a-2026", "mer_b-2026"}));
  EXPECT_EQ(unreadable_, (std::vector<UnreadableEntry>{{.place = {"mer_a-2026", 1}}}));
  EXPECT_TRUE(follow(8).empty());
  EXPECT_EQ(unreadable_.size(), 1U) << "as long as it lasts";
  std::filesystem::rename(middle + ".away", middle);
  EXPECT_EQ(follow(8), std::vector<std::string>{"mer_a-2026"});
  EXPECT_TRUE(unreadable_.empty());
  EXPECT_EQ(followed_, sizes_);
}

TEST_F(LogBatchTest, AMissingLevelFileIsTold) {
  append("mer_a", 1);
  const std::string level = audit::level_path(folder_.directory(), "mer_a-2026", 0);
  std::filesystem::rename(level, level + ".away");
  EXPECT_TRUE(follow(8).empty());
  EXPECT_EQ(unreadable_, (std::vector<UnreadableEntry>{{.place = {"mer_a-2026", 0}}}));
  std::filesystem::rename(level + ".away", level);
  EXPECT_EQ(follow(8), std::vector<std::string>{"mer_a-2026"});
  EXPECT_TRUE(unreadable_.empty());
}

}  // namespace
}  // namespace strongroom::connected::relay

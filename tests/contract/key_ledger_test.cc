// The ledger of backups, kept by vaultd on both databases: sealed with the registry, told in the
// log, and right wherever a write fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "contract/key_keeper_fixture.h"

namespace strongroom::cde {
namespace {

using enum BackupAct;
constexpr BackupKind kData = BackupKind::data, kKeys = BackupKind::keys;

std::string id(int n) { return std::string(31, '0') + std::to_string(n); }

class KeyLedgerTest : public KeyKeeperTest {
 protected:
  // As a process that starts does.
  void start() { open("vaultd-a", keys_); }
  std::vector<audit::Entry>& told() { return keys_->recorder.entries; }
  Result<KnownBackup> note(int n, BackupKind kind, BackupAct act, int other = 0) {
    BackupNote note{.id = id(n), .kind = kind, .act = act};
    if (other != 0) note.replaced_by = id(other);
    if (act == add) note.means = "the HSM's own backup";
    return loop_.run_until_done(a().note_backup(std::move(note), "uid:7"));
  }
  Result<BackupLedger> ledger() { return loop_.run_until_done(a().backups()); }
  std::vector<std::string> findings() {
    const auto found = *loop_.run_until_done(a().check());
    std::vector<std::string> texts;
    for (const KeyKeeper::Finding& one : found) texts.push_back(one.text);
    return texts;
  }
};

TEST_P(KeyLedgerTest, WhatIsNotedIsThereAfterARestart) {
  EXPECT_TRUE(ledger()->rows().empty());
  ASSERT_TRUE(note(1, kKeys, begin));
  ASSERT_TRUE(note(1, kData, begin));
  ASSERT_TRUE(note(1, kData, verified));
  ASSERT_TRUE(note(1, kKeys, verified));
  ASSERT_TRUE(note(2, kKeys, add));
  ASSERT_TRUE(note(1, kKeys, replaced, 2));
  start();
  const auto kept = ledger();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->rows().size(), 3U);
  const KnownBackup& replaced_one = *kept->find(id(1), kKeys);
  EXPECT_EQ(replaced_one.ending, BackupEnding::replaced);
  EXPECT_EQ(replaced_one.replaced_by, id(2));
  EXPECT_EQ(replaced_one.ended_by, "uid:7");
  EXPECT_EQ(kept->find(id(2), kKeys)->means, "the HSM's own backup");
  EXPECT_TRUE(findings().empty());
}

TEST_P(KeyLedgerTest, KeysThatAreBackedUpAreThoseInTheHsm) {
  const auto all = note(1, kKeys, add)->holds;
  EXPECT_EQ(all, (std::vector<std::string>{"strongroom/blind-index/1", "strongroom/key-registry/1",
                                           "strongroom/pan-encryption/1",
                                           "strongroom/pan-fingerprint/1"}));
  ASSERT_TRUE(note(2, kKeys, begin));
  ASSERT_TRUE(loop_.run_until_done(a().rotate(kKek, "")));
  EXPECT_EQ(note(2, kKeys, verified)->holds.size(), all.size() + 1) << "made meanwhile";
  ASSERT_TRUE(loop_.run_until_done(keys_->store.make(kKek, 9)));
  EXPECT_EQ(note(3, kKeys, add)->holds.size(), all.size() + 2) << "not registered";
}

TEST_P(KeyLedgerTest, ADataBackupHoldsWhatSomethingStandsUnder) {
  ASSERT_TRUE(note(1, kData, begin));
  const auto under = [&](int n) {
    return std::ranges::count(ledger()->find(id(n), kData)->holds,
                              std::string("strongroom/pan-encryption/1"));
  };
  EXPECT_EQ(under(1), 1);
  ASSERT_TRUE(loop_.run_until_done(a().rotate(kKek, "")));
  ASSERT_TRUE(loop_.run_until_done(a().step()));
  ASSERT_EQ(a().records().in_state(kKek, KeyState::active)->version, 2U);
  ASSERT_TRUE(loop_.run_until_done(a().note_emptied({1})));
  ASSERT_TRUE(note(2, kData, begin));
  EXPECT_EQ(under(2), 0);
  ASSERT_TRUE(note(2, kData, verified));
  EXPECT_TRUE(ledger()->has_data_without(*a().records().find(kKek, 1)));
}

TEST_P(KeyLedgerTest, AForeignHandInItIsNoticed) {
  ASSERT_TRUE(note(1, kKeys, add));
  ASSERT_TRUE(note(2, kKeys, add));
  const std::vector<std::string_view> edits{
      "UPDATE backup_ledger SET ending = 'destroyed', ended_at = 1 WHERE id LIKE '%1'",
      "UPDATE backup_ledger SET ending = 'no such' WHERE id LIKE '%1'",
      "UPDATE backup_ledger SET holds = 'strongroom/blind-index/1' WHERE id LIKE '%1'",
      "UPDATE backup_ledger SET ended_at = -1 WHERE id LIKE '%1'",
      "DELETE FROM backup_ledger WHERE id LIKE '%1'",
      "DELETE FROM backup_ledger",
      "UPDATE backup_ledger SET id = id || 'x' WHERE id LIKE '%1'"};
  for (const std::string_view edit : edits) {
    write("CREATE TABLE kept AS SELECT * FROM backup_ledger");
    write(edit);
    EXPECT_EQ(findings(), std::vector<std::string>{"its ledger of backups was changed by another"
                                                   " hand"})
        << edit;
    EXPECT_EQ(ledger().error().code(), ErrorCode::corrupt) << edit;
    EXPECT_EQ(note(3, kKeys, add).error().code(), ErrorCode::corrupt) << edit;
    write("DELETE FROM backup_ledger");
    write("INSERT INTO backup_ledger SELECT * FROM kept");
    write("DROP TABLE kept");
    EXPECT_TRUE(findings().empty()) << edit;
  }
}

// With the seal's own column, which the seal's MAC is over.
TEST_P(KeyLedgerTest, NorCanItsSealBeChangedWithIt) {
  ASSERT_TRUE(note(1, kKeys, add));
  write("DELETE FROM backup_ledger");
  write("UPDATE keys_seal SET backup_ledger = NULL");
  EXPECT_EQ(findings().front(), "which rows there are was changed by another hand");
  EXPECT_EQ(loop_.run_until_done(a().step()).error().code(), ErrorCode::corrupt);
}

TEST_P(KeyLedgerTest, EveryNoteStandsInTheLogWithItsOutcome) {
  ASSERT_TRUE(note(1, kKeys, add));
  told().clear();
  ASSERT_TRUE(note(1, kKeys, destroyed));
  ASSERT_EQ(told().size(), 2U);
  EXPECT_EQ(told()[0].event_type, EventType::key_ledger);
  EXPECT_EQ(told()[0].phase, Phase::intent);
  EXPECT_EQ(told()[0].user, "uid:7");
  EXPECT_EQ(told()[0].resources,
            (std::vector<std::string>{"backup " + id(1), "keys", "destroyed"}));
  EXPECT_EQ(told()[1].outcome, Outcome::done);
  EXPECT_EQ(*loop_.run_until_done(a().outcome_of(told()[0])), Outcome::done);
  audit::Entry other = told()[0];
  other.resources[0] = "backup " + id(2);
  EXPECT_EQ(*loop_.run_until_done(a().outcome_of(other)), Outcome::not_done);
}

TEST_P(KeyLedgerTest, WhatIsRefusedIsNotBegun) {
  told().clear();
  EXPECT_EQ(note(1, kKeys, destroyed).error().code(), ErrorCode::not_found);
  EXPECT_EQ(note(1, kKeys, verified).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(told().empty());
  keys_->recorder.refuse(true);
  EXPECT_FALSE(note(1, kKeys, begin));
  keys_->recorder.refuse(false);
  EXPECT_TRUE(ledger()->rows().empty()) << "no act without the log";
}

TEST_P(KeyLedgerTest, AWriteThatFailsLeavesItAsItWas) {
  ASSERT_TRUE(note(1, kKeys, begin));
  told().clear();
  lossy_->refused_writes = 1;
  EXPECT_EQ(note(1, kKeys, verified).error().code(), ErrorCode::unavailable);
  EXPECT_FALSE(ledger()->find(id(1), kKeys)->verified_at_us);
  ASSERT_EQ(told().size(), 2U);
  EXPECT_EQ(told()[1].outcome, Outcome::not_done);
  ASSERT_TRUE(note(1, kKeys, verified));
}

INSTANTIATE_TEST_SUITE_P(Databases, KeyLedgerTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace strongroom::cde

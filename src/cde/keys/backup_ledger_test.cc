// Which backups may still give a key back, and which show that the cards are safe without it.
#include "cde/keys/backup_ledger.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/encoding.h"

namespace strongroom::cde {
namespace {

using enum BackupAct;
constexpr BackupKind kData = BackupKind::data, kKeys = BackupKind::keys;
constexpr std::string_view kKek1 = "strongroom/pan-encryption/1",
                           kKek2 = "strongroom/pan-encryption/2",
                           kKek3 = "strongroom/pan-encryption/3";

std::string id(int n) { return std::string(31, '0') + std::to_string(n); }

RegisteredKey kek(std::uint32_t version) {
  return {.name = KeyName::pan_encryption, .version = version};
}

class BackupLedgerTest : public ::testing::Test {
 protected:
  Result<void> take(int n, BackupKind kind, BackupAct act, int other = 0) {
    BackupNote note{.id = id(n), .kind = kind, .act = act};
    if (other != 0) note.replaced_by = id(other);
    return ledger_.take(note, {.now_us = ++now_, .user = "uid:0", .holds = there_});
  }
  bool shows(int n, BackupKind kind, BackupAct act) const {
    return ledger_.shows({.id = id(n), .kind = kind, .act = act});
  }
  void there(std::vector<std::string_view> labels) { there_.assign(labels.begin(), labels.end()); }
  std::vector<std::string> give_back(std::uint32_t version) const {
    std::vector<std::string> ids;
    for (const KnownBackup& one : ledger_.that_give_back(kek(version))) ids.push_back(one.id);
    return ids;
  }

  BackupLedger ledger_;
  std::vector<std::string> there_{std::string(kKek1)};
  std::int64_t now_ = 0;
};

TEST_F(BackupLedgerTest, AKeyBackupGivesBackWhatThereWasWhileItWasMade) {
  ASSERT_TRUE(take(1, kKeys, begin));
  EXPECT_EQ(give_back(1), std::vector{id(1)});
  EXPECT_EQ(give_back(3), std::vector{id(1)}) << "nobody knows yet";
  there({kKek1, kKek2});
  ASSERT_TRUE(take(1, kKeys, verified));
  EXPECT_EQ(give_back(1), std::vector{id(1)});
  EXPECT_EQ(give_back(2), std::vector{id(1)});
  EXPECT_TRUE(give_back(3).empty());
  there({kKek2, kKek3});
  ASSERT_TRUE(take(2, kKeys, begin));
  ASSERT_TRUE(take(2, kKeys, verified));
  EXPECT_EQ(give_back(1), std::vector{id(1)});
  EXPECT_EQ(give_back(2), (std::vector{id(1), id(2)}));
}

TEST_F(BackupLedgerTest, ItGivesNothingBackWhenItHasEnded) {
  for (const int n : {1, 2, 3}) ASSERT_TRUE(take(n, kKeys, begin));
  ASSERT_TRUE(take(1, kKeys, verified));
  ASSERT_TRUE(take(1, kKeys, destroyed));
  ASSERT_TRUE(take(2, kKeys, failed));
  EXPECT_EQ(give_back(1), std::vector{id(3)}) << "one that never ended";
  ASSERT_TRUE(take(3, kKeys, destroyed));
  EXPECT_TRUE(give_back(1).empty());
  EXPECT_EQ(ledger_.find(id(1), kKeys)->ended_by, "uid:0");
  for (const int n : {1, 2, 3}) {
    for (const BackupAct act : {verified, failed, destroyed}) {
      EXPECT_EQ(take(n, kKeys, act).error().code(), ErrorCode::conflict);
    }
  }
}

TEST_F(BackupLedgerTest, OnlyAWholeBackupReplacesAnother) {
  ASSERT_TRUE(take(1, kKeys, add));
  ASSERT_TRUE(take(2, kKeys, begin));
  for (const int other : {1, 2, 9}) {
    EXPECT_EQ(take(1, kKeys, replaced, other).error().code(), ErrorCode::conflict) << other;
  }
  ASSERT_TRUE(take(2, kKeys, verified));
  ASSERT_TRUE(take(1, kKeys, replaced, 2));
  EXPECT_EQ(ledger_.find(id(1), kKeys)->replaced_by, id(2));
  ASSERT_TRUE(take(3, kKeys, add));
  EXPECT_EQ(take(3, kKeys, replaced, 1).error().code(), ErrorCode::conflict) << "it has ended";
}

TEST_F(BackupLedgerTest, ADataBackupShowsTheCardsWithoutAVersionOnlyWhenItIsVerifiedAndLater) {
  ASSERT_TRUE(take(1, kData, begin));
  ASSERT_TRUE(take(1, kData, verified));
  EXPECT_FALSE(ledger_.has_data_without(kek(1))) << "they stand under it there";
  EXPECT_FALSE(ledger_.has_data_without(kek(2))) << "it is older";
  there({kKek1, kKek2});
  ASSERT_TRUE(take(2, kData, begin));
  ASSERT_TRUE(take(2, kData, verified));
  EXPECT_FALSE(ledger_.has_data_without(kek(1))) << "some still did";
  there({kKek2});
  ASSERT_TRUE(take(3, kData, begin));
  EXPECT_FALSE(ledger_.has_data_without(kek(1))) << "nobody has read it yet";
  ASSERT_TRUE(take(3, kData, verified));
  EXPECT_TRUE(ledger_.has_data_without(kek(1)));
  EXPECT_FALSE(ledger_.has_data_without(kek(2)));
  EXPECT_TRUE(ledger_.that_give_back(kek(2)).empty()) << "no key is in it";
}

TEST_F(BackupLedgerTest, OfDataTheLastVerifiedOneIsKept) {
  for (const int n : {1, 2, 3}) ASSERT_TRUE(take(n, kData, begin));
  for (const int n : {2, 1}) ASSERT_TRUE(take(n, kData, verified));
  EXPECT_NE(ledger_.find(id(2), kData), nullptr) << "it was begun later";
  ASSERT_TRUE(take(3, kData, verified));
  ASSERT_EQ(ledger_.rows().size(), 1U);
  EXPECT_EQ(ledger_.rows()[0].id, id(3));
  ASSERT_TRUE(take(4, kData, begin));
  ASSERT_TRUE(take(4, kData, failed));
  EXPECT_EQ(ledger_.rows().size(), 1U);
  EXPECT_EQ(take(4, kData, verified).error().code(), ErrorCode::not_found);
  EXPECT_EQ(take(3, kData, destroyed).error().code(), ErrorCode::conflict);
}

TEST_F(BackupLedgerTest, OneThatNobodyFinishedIsDroppedAfterAWeek) {
  ASSERT_TRUE(take(1, kData, begin));
  now_ += std::int64_t{7} * 86'400'000'000;
  ASSERT_TRUE(take(2, kData, begin));
  ASSERT_TRUE(take(2, kData, verified));
  EXPECT_EQ(ledger_.find(id(1), kData), nullptr);
}

TEST_F(BackupLedgerTest, WhatWasTakenShows) {
  for (const BackupAct act : {begin, verified, failed, destroyed, replaced}) {
    EXPECT_FALSE(shows(1, kKeys, act));
  }
  ASSERT_TRUE(take(1, kKeys, begin));
  EXPECT_TRUE(shows(1, kKeys, begin));
  EXPECT_FALSE(shows(1, kKeys, verified));
  ASSERT_TRUE(take(1, kKeys, verified));
  EXPECT_TRUE(shows(1, kKeys, verified));
  ASSERT_TRUE(take(2, kKeys, add));
  EXPECT_TRUE(shows(2, kKeys, add));
  ASSERT_TRUE(take(2, kKeys, replaced, 1));
  EXPECT_TRUE(shows(2, kKeys, replaced));
  EXPECT_FALSE(shows(2, kKeys, destroyed));
  ASSERT_TRUE(take(1, kKeys, destroyed));
  EXPECT_TRUE(shows(1, kKeys, destroyed));
  ASSERT_TRUE(take(3, kData, begin));
  EXPECT_FALSE(shows(3, kData, failed));
  ASSERT_TRUE(take(3, kData, failed));
  EXPECT_TRUE(shows(3, kData, failed));
}

TEST_F(BackupLedgerTest, IdsAreOfTheirKindAlone) {
  ASSERT_TRUE(take(1, kKeys, begin));
  EXPECT_EQ(take(1, kKeys, begin).error().code(), ErrorCode::conflict);
  ASSERT_TRUE(take(1, kData, begin)) << "made together";
  EXPECT_EQ(take(2, kKeys, verified).error().code(), ErrorCode::not_found);
}

TEST_F(BackupLedgerTest, ItHasAnEnd) {
  std::vector<KnownBackup> rows(BackupLedger::kRowsMax);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].id = std::to_string(i);
  ledger_ = BackupLedger(std::move(rows));
  EXPECT_EQ(take(1, kKeys, begin).error().code(), ErrorCode::exhausted);
}

// The form that docs/formats/key-registry.md tells.
TEST_F(BackupLedgerTest, EveryPartOfARowIsInTheDigest) {
  EXPECT_FALSE(ledger_.digest());
  const KnownBackup row{.id = "00112233445566778899aabbccddeeff",
                        .kind = kKeys,
                        .begun_at_us = 1'700'000'000'000'000,
                        .verified_at_us = 1'700'000'001'000'000,
                        .holds = {std::string(kKek1), std::string(kKek2)},
                        .ending = BackupEnding::destroyed,
                        .ended_at_us = 1'700'000'002'000'000,
                        .ended_by = "uid:0"};
  const auto whole = BackupLedger({row}).digest();
  EXPECT_EQ(hex(*whole), "7b597f77be7cc6fb8460ea4590117238fad2c6762d2d32e4b8205468b5294544");
  std::vector<KnownBackup> others(10, row);
  others[0].id.back() = '0';
  others[1].kind = kData;
  others[2].means = "a smartcard";
  ++others[3].begun_at_us;
  others[4].verified_at_us.reset();
  others[5].holds.pop_back();
  others[6].ending = BackupEnding::failed;
  others[7].ended_at_us.reset();
  others[8].replaced_by = row.id;
  others[9].ended_by = "uid:1";
  for (const KnownBackup& other : others) EXPECT_NE(BackupLedger({other}).digest(), whole);
  EXPECT_NE(BackupLedger({row, others[0]}).digest(), whole);
  EXPECT_EQ(BackupLedger({row, others[0]}).digest(), BackupLedger({others[0], row}).digest());
}

}  // namespace
}  // namespace strongroom::cde

// What is deleted is gone from every copy of the database in time, by itself: a rotation when a
// deletion stands under the active key, and the end of each old one when nothing hinders it.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cde/vault/erasure_job.h"
#include "contract/key_keeper_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::chrono::days kWithin{30};

class ErasureJobTest : public KeyKeeperTest {
 protected:
  ErasureJobTest() { start_job(); }
  ~ErasureJobTest() override { job_.reset(); }

  // As a vaultd that is started anew does.
  void start_job() {
    job_ = std::make_unique<ErasureJob>(
        ErasureJob::Parts{loop_, *cards_, a(), clock_, metrics_, kWithin});
    SR_CHECK(step(a()));
  }
  void work() {
    ASSERT_TRUE(step(a()));
    const auto done = loop_.run_until_done(job_->step());
    ASSERT_TRUE(done) << done.error().what();
    ASSERT_TRUE(step(a()));
  }
  // Until the version is active that was begun.
  void work_until_active(std::uint32_t version) {
    for (int steps = 0; steps < 10 && this->version(a(), KeyState::active) != version; ++steps) {
      work();
    }
    ASSERT_EQ(this->version(a(), KeyState::active), version);
  }
  PublicToken add(const std::string& number = "4242424242424242") {
    return tokenize(request("", "", number))->token;
  }
  void empty(std::uint32_t version) {
    ASSERT_TRUE(loop_.run_until_done(a().note_emptied({version})));
  }
  void back_up_data() {
    for (const BackupAct act : {BackupAct::begin, BackupAct::verified}) {
      BackupNote note{.id = std::string(32, 'd'), .kind = BackupKind::data, .act = act};
      ASSERT_TRUE(loop_.run_until_done(a().note_backup(std::move(note), "operator")));
    }
  }
  // The backup of the keys that was made before is destroyed.
  void destroy_copies() {
    for (const BackupAct act : {BackupAct::add, BackupAct::destroyed}) {
      BackupNote note{.id = std::string(32, 'e'), .kind = BackupKind::keys, .act = act};
      if (act == BackupAct::add) note.means = "a card";
      ASSERT_TRUE(loop_.run_until_done(a().note_backup(std::move(note), "operator")));
    }
  }
  std::optional<std::int64_t> due(std::uint32_t version) const {
    for (const ErasureJob::Due& one : job_->due()) {
      if (one.version == version) return one.at_us;
    }
    return std::nullopt;
  }
  KeyState state(std::uint32_t version) { return a().records().find(kKek, version)->state; }

  std::unique_ptr<ErasureJob> job_;
};

TEST_P(ErasureJobTest, WithoutADeletionNothingIsDue) {
  static_cast<void>(add());
  clock_.now += 60 * kDayUs;
  work();
  EXPECT_TRUE(job_->due().empty());
  EXPECT_EQ(version(a(), KeyState::pre_active), 0U);
  EXPECT_EQ(version(a(), KeyState::active), 1U);
}

TEST_P(ErasureJobTest, ItRotatesInHalfOfTheTimeAndNotBefore) {
  const PublicToken token = add();
  clock_.now += kDayUs;
  const std::int64_t deleted = clock_.now;
  ASSERT_TRUE(erase(token));
  clock_.now += 15 * kDayUs - 1;
  work();
  EXPECT_EQ(due(1), deleted + 30 * kDayUs);
  EXPECT_EQ(version(a(), KeyState::active), 1U);
  EXPECT_EQ(version(a(), KeyState::pre_active), 0U);
  clock_.now += 1;
  work_until_active(2);
  work();
  EXPECT_FALSE(due(2)) << "no deletion stands under it";
  EXPECT_EQ(due(1), deleted + 30 * kDayUs);
  EXPECT_EQ(job_->late(), 0U);
}

TEST_P(ErasureJobTest, AnOldKeyEndsByItselfWhenNothingHindersIt) {
  ASSERT_TRUE(erase(add()));
  clock_.now += 15 * kDayUs;
  work_until_active(2);
  for (int steps = 0; steps < 3; ++steps) work();
  EXPECT_EQ(state(1), KeyState::retired) << "cards may stand under it";
  empty(1);
  work();
  EXPECT_EQ(state(1), KeyState::retired) << "no backup was made since";
  back_up_data();
  work();
  EXPECT_EQ(state(1), KeyState::retired) << "nobody has told of a copy of the keys";
  destroy_copies();
  start_job();
  for (int steps = 0; steps < 3; ++steps) work();
  EXPECT_EQ(state(1), KeyState::destroyed);
  EXPECT_FALSE(hsm_->token->find_key("strongroom/pan-encryption/1"));
  EXPECT_TRUE(job_->due().empty());
}

// A copy of the database from before the rotation has the card under the old key.
TEST_P(ErasureJobTest, ADeletionAfterTheRotationMakesTheOldKeyDueToo) {
  const PublicToken token = add();
  rotate_through();
  empty(1);
  back_up_data();
  destroy_copies();
  work();
  EXPECT_TRUE(job_->due().empty());
  EXPECT_EQ(state(1), KeyState::retired) << "nothing was deleted";
  clock_.now += kDayUs;
  const std::int64_t deleted = clock_.now;
  ASSERT_TRUE(erase(token));
  work();
  EXPECT_EQ(due(2), deleted + 30 * kDayUs);
  for (int steps = 0; steps < 3; ++steps) work();
  EXPECT_EQ(state(1), KeyState::destroyed);
}

TEST_P(ErasureJobTest, WhatIsLateIsTold) {
  ASSERT_TRUE(erase(add()));
  clock_.now += 15 * kDayUs;
  work_until_active(2);
  clock_.now += 15 * kDayUs;
  work();
  EXPECT_EQ(job_->late(), 0U);
  clock_.now += 1;
  work();
  EXPECT_EQ(job_->late(), 1U);
  EXPECT_NE(registry_.text().find("strongroom_keys_late 1"), std::string::npos);
  empty(1);
  back_up_data();
  destroy_copies();
  for (int steps = 0; steps < 3; ++steps) work();
  EXPECT_EQ(job_->late(), 0U);
  EXPECT_NE(registry_.text().find("strongroom_keys_late 0"), std::string::npos);
}

TEST_P(ErasureJobTest, WhereAnotherLeadsNothingIsDone) {
  ASSERT_TRUE(erase(add()));
  clock_.now += 40 * kDayUs;
  ASSERT_TRUE(loop_.run_until_done(VaultInstances(*database_).beat("first", 0)));
  work();
  EXPECT_TRUE(job_->due().empty());
  EXPECT_EQ(version(a(), KeyState::pre_active), 0U);
}

INSTANTIATE_TEST_SUITE_P(Databases, ErasureJobTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace strongroom::cde

// How a version of a key comes to its end: what hinders it, that no vaultd keeps a copy, and that
// whoever is killed anywhere goes on.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cde/keys/key_keeper.h"
#include "contract/key_keeper_fixture.h"

namespace strongroom::cde {
namespace {

using enum KeyState;
using Kind = Hindrance::Kind;
constexpr BackupKind kData = BackupKind::data, kKeys = BackupKind::keys;
constexpr int kStepsMax = 20;

std::string id(int n) {
  return std::to_string(n) + std::string(32 - std::to_string(n).size(), '0');
}

class KeyEndingTest : public KeyKeeperTest {
 protected:
  void note(const std::string& id, BackupKind kind, BackupAct act) {
    BackupNote note{.id = id, .kind = kind, .act = act};
    if (act == BackupAct::add) note.means = "a card";
    SR_CHECK(loop_.run_until_done(a().note_backup(std::move(note), "operator")));
  }
  void back_up_data() {
    const std::string next = id(1000 + ++backups_);
    note(next, kData, BackupAct::begin);
    note(next, kData, BackupAct::verified);
  }
  // Each copy of the keys is known, and destroyed.
  void account_for_copies() {
    const std::string next = id(2000 + ++backups_);
    note(next, kKeys, BackupAct::add);
    note(next, kKeys, BackupAct::destroyed);
  }
  void back_up() {
    back_up_data();
    account_for_copies();
  }
  // Version `old`, the active one, is retired, with nothing under it.
  void retire_empty(std::uint32_t old) {
    rotate_through();
    SR_CHECK(loop_.run_until_done(a().note_emptied({old})));
  }
  std::vector<Hindrance> hindrances(std::uint32_t version) {
    return *loop_.run_until_done(a().hindrances(kKek, version));
  }
  Result<KeyKeeper::Destruction> destroy(KeyKeeper& keeper, std::uint32_t version) {
    return loop_.run_until_done(keeper.destroy(kKek, version, "operator"));
  }
  Result<RegisteredKey> mark(std::uint32_t version) {
    return loop_.run_until_done(a().mark_compromised(kKek, version, "operator"));
  }
  KeyState state(std::uint32_t version) { return a().records().find(kKek, version)->state; }
  bool in_hsm(std::uint32_t version) {
    return hsm_->token->find_key(key_label(kKek, version)).has_value();
  }
  std::vector<std::string> findings() {
    const auto found = *loop_.run_until_done(a().check());
    std::vector<std::string> texts;
    for (const KeyKeeper::Finding& one : found) texts.push_back(one.text);
    return texts;
  }
  void start_a() { open("vaultd-a", keys_); }
  // Steps of those that live until it is destroyed.
  bool becomes_destroyed(std::uint32_t version) {
    for (int steps = 0; steps < kStepsMax && state(version) != destroyed; ++steps) {
      static_cast<void>(step(a()));
      if (b_) static_cast<void>(step(b()));
    }
    return state(version) == destroyed;
  }

 private:
  int backups_ = 0;
};

TEST_P(KeyEndingTest, AllThatHindersIsToldAtOnce) {
  open_b();
  rotate_through();
  note(id(1), kKeys, BackupAct::add);
  note(id(2), kKeys, BackupAct::begin);
  ASSERT_TRUE(step(a()));
  loop_.run_until_done(loop_.sleep_for(kNoWaits.dead_after));
  ASSERT_TRUE(step(a()));
  const auto refused = destroy(a(), 1);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->hindrances, (std::vector<Hindrance>{{Kind::stands},
                                                         {Kind::no_backup},
                                                         {Kind::key_backup, id(1)},
                                                         {Kind::key_backup, id(2)},
                                                         {Kind::other_vaultd, "vaultd-b"}}));
  EXPECT_EQ(state(1), retired);
  EXPECT_EQ(destroy(a(), 2)->hindrances, std::vector<Hindrance>{{Kind::in_use}});
  EXPECT_EQ(destroy(a(), 9).error().code(), ErrorCode::not_found);

  ASSERT_TRUE(loop_.run_until_done(a().note_emptied({1})));
  back_up_data();
  note(id(1), kKeys, BackupAct::destroyed);
  note(id(2), kKeys, BackupAct::failed);
  EXPECT_EQ(hindrances(1), (std::vector<Hindrance>{{Kind::other_vaultd, "vaultd-b"}}));
  ASSERT_TRUE(step(b()));
  ASSERT_TRUE(step(a()));
  EXPECT_TRUE(hindrances(1).empty());
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  EXPECT_TRUE(becomes_destroyed(1));
}

TEST_P(KeyEndingTest, ABackupOfBeforeIsNone) {
  rotate_through();
  back_up();
  ASSERT_TRUE(loop_.run_until_done(a().note_emptied({1})));
  EXPECT_EQ(hindrances(1), std::vector<Hindrance>{{Kind::no_backup}});
  back_up();
  EXPECT_TRUE(hindrances(1).empty());
}

TEST_P(KeyEndingTest, ItIsDestroyedWhenEveryVaultdHasGivenItsCopyUp) {
  open_b();
  retire_empty(1);
  back_up();
  ASSERT_TRUE(step(a()));  // lives, however long that took
  ASSERT_TRUE(step(b()));
  const pkcs11::KeyHandle copy = b_->sets.latest()->find(kKek, 1)->handle;
  ASSERT_TRUE(hsm_->sessions->lease()->check_value(copy));
  ASSERT_TRUE(destroy(b(), 1)->hindrances.empty());
  EXPECT_EQ(b_->sets.latest()->find(kKek, 1), nullptr);
  EXPECT_EQ(hsm_->sessions->lease()->check_value(copy).error().code(), ErrorCode::gone);
  ASSERT_TRUE(step(b()));  // says so
  ASSERT_TRUE(step(a()));  // gives its own up, too, and says so
  EXPECT_EQ(keys_->sets.latest()->find(kKek, 1), nullptr);
  EXPECT_EQ(state(1), destroyed);
  EXPECT_FALSE(in_hsm(1));
  EXPECT_TRUE(in_hsm(2));
  EXPECT_TRUE(findings().empty());
  const auto again = destroy(a(), 1);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->hindrances.empty()) << "it is done";
  EXPECT_TRUE(tokenize(request()));
}

// As after an upgrade, or with an HSM of which nobody told how it is backed up.
TEST_P(KeyEndingTest, CopiesThatNobodyNotedMayBeThere) {
  retire_empty(1);
  back_up_data();
  EXPECT_EQ(destroy(a(), 1)->hindrances, std::vector<Hindrance>{{Kind::no_copy}});
  note(id(1), kKeys, BackupAct::begin);
  note(id(1), kKeys, BackupAct::failed);
  EXPECT_EQ(hindrances(1), std::vector<Hindrance>{{Kind::no_copy}}) << "there never was one";
  EXPECT_EQ(state(1), retired);
  account_for_copies();
  EXPECT_TRUE(hindrances(1).empty());
  rotate_through();
  ASSERT_TRUE(loop_.run_until_done(a().note_emptied({2})));
  back_up_data();
  EXPECT_TRUE(hindrances(1).empty());
  EXPECT_TRUE(hindrances(2).empty()) << "that copy had it, too";
}

TEST_P(KeyEndingTest, ACopyThatIsToldLateMayHaveADestroyedVersion) {
  retire_empty(1);
  back_up();
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  ASSERT_TRUE(becomes_destroyed(1));
  const auto holds = [&](int n) {
    return std::ranges::count(loop_.run_until_done(a().backups())->find(id(n), kKeys)->holds,
                              key_label(kKek, 1));
  };
  note(id(1), kKeys, BackupAct::begin);
  note(id(1), kKeys, BackupAct::verified);
  EXPECT_EQ(holds(1), 0);
  note(id(2), kKeys, BackupAct::add);
  EXPECT_EQ(holds(2), 1);
}

// Frozen, it may have its copy still.
TEST_P(KeyEndingTest, OneThatIsSilentIsWaitedFor) {
  open_b();
  retire_empty(1);
  back_up();
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  for (int steps = 0; steps < 3; ++steps) {
    ASSERT_TRUE(step(a()));
    loop_.run_until_done(loop_.sleep_for(kNoWaits.dead_after));
  }
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_TRUE(in_hsm(1));
  EXPECT_EQ(hindrances(1), (std::vector<Hindrance>{{Kind::other_vaultd, "vaultd-b"}}));
  EXPECT_TRUE(findings().empty());
  loop_.run_until_done(b().leave());
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(state(1), destroyed);
  EXPECT_FALSE(in_hsm(1));
}

TEST_P(KeyEndingTest, ACopyOfTheKeysThatIsMadeMeanwhileIsWaitedFor) {
  open_b();
  retire_empty(1);
  back_up();
  ASSERT_TRUE(step(b()));
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  note(id(1), kKeys, BackupAct::begin);
  note(id(1), kKeys, BackupAct::verified);
  for (int steps = 0; steps < 3; ++steps) {
    ASSERT_TRUE(step(b()));
    ASSERT_TRUE(step(a()));
  }
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_TRUE(in_hsm(1));
  EXPECT_EQ(hindrances(1), (std::vector<Hindrance>{{Kind::key_backup, id(1)}}));
  note(id(1), kKeys, BackupAct::destroyed);
  EXPECT_TRUE(becomes_destroyed(1));
}

// At each place in turn the process is killed that carries it out, and another is started.
TEST_P(KeyEndingTest, WhoeverIsKilledAnywhereItGoesOn) {
  constexpr int kPlaces = 8;  // more than there are writes
  for (std::uint32_t version = 1; version <= kPlaces; ++version) {
    retire_empty(version);
    back_up();
    lossy_->passing_writes = static_cast<int>(version) - 1;
    lossy_->refused_writes = 1;
    static_cast<void>(destroy(a(), version));
    static_cast<void>(step(a()));
    static_cast<void>(step(a()));
    lossy_->passing_writes = lossy_->refused_writes = 0;
    const bool begun = a().records().find(kKek, version)->state != retired;
    start_a();
    EXPECT_TRUE(findings().empty()) << version;
    if (!begun && state(version) == retired) {
      ASSERT_TRUE(destroy(a(), version)) << version;
    }
    EXPECT_TRUE(becomes_destroyed(version)) << version;
    EXPECT_FALSE(in_hsm(version));
    EXPECT_TRUE(findings().empty()) << version;
  }
  make_vault({});
  EXPECT_TRUE(tokenize(request()));
}

TEST_P(KeyEndingTest, WithoutTheLogNothingEnds) {
  retire_empty(1);
  back_up();
  keys_->recorder.refuse(true);
  EXPECT_FALSE(destroy(a(), 1));
  EXPECT_FALSE(mark(1));
  EXPECT_EQ(state(1), retired);
  keys_->recorder.refuse(false);
  ASSERT_TRUE(destroy(a(), 1));
  keys_->recorder.refuse(true);
  for (int steps = 0; steps < 3; ++steps) static_cast<void>(step(a()));
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_TRUE(in_hsm(1));
}

TEST_P(KeyEndingTest, EachStepStandsInTheLogWithItsOutcome) {
  retire_empty(1);
  back_up();
  keys_->recorder.entries.clear();
  ASSERT_TRUE(mark(1));
  ASSERT_TRUE(destroy(a(), 1));
  ASSERT_TRUE(becomes_destroyed(1));
  const auto& entries = keys_->recorder.entries;
  EXPECT_EQ(
      types(keys_->recorder),
      (std::vector{EventType::key_compromise, EventType::key_compromise, EventType::key_withdraw,
                   EventType::key_withdraw, EventType::key_destroy, EventType::key_destroy}));
  EXPECT_EQ(entries[0].user, "operator");
  EXPECT_EQ(entries[2].user, "operator");
  for (const std::size_t intent : {0U, 2U, 4U}) {
    EXPECT_EQ(entries[intent].resources, std::vector<std::string>{"strongroom/pan-encryption/1"});
    EXPECT_EQ(entries[intent].phase, Phase::intent);
    EXPECT_EQ(entries[intent + 1].outcome, Outcome::done);
    EXPECT_EQ(*loop_.run_until_done(a().outcome_of(entries[intent])), Outcome::done);
    audit::Entry other = entries[intent];
    other.resources = {"strongroom/pan-encryption/2"};
    EXPECT_EQ(*loop_.run_until_done(a().outcome_of(other)), Outcome::not_done);
  }
}

// Its label says nothing: somebody may have put it there.
TEST_P(KeyEndingTest, AnotherKeyOfThatNameIsNotDestroyed) {
  retire_empty(1);
  back_up();
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  ASSERT_EQ(state(1), withdrawn);
  ASSERT_TRUE(loop_.run_until_done(keys_->store.destroy(kKek, 1)));
  ASSERT_TRUE(loop_.run_until_done(keys_->store.make(kKek, 1)));
  for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_TRUE(in_hsm(1));
}

// It goes on with the registry, and says neither that it has no copy nor that all is well.
TEST_P(KeyEndingTest, OneThatCannotGiveItsCopyUpIsWaitedFor) {
  open_b();
  retire_empty(1);
  back_up();
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(step(b()));
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  b_->refusing.keeps_copies = true;
  for (int steps = 0; steps < 3; ++steps) {
    EXPECT_EQ(step(b()).error().what(), std::string_view("the HSM keeps a copy"));
    ASSERT_TRUE(step(a()));
  }
  EXPECT_TRUE(b().trouble());
  EXPECT_EQ(b().records().revision, a().records().revision);
  EXPECT_EQ(b_->sets.latest()->find(kKek, 1), nullptr);
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_EQ(hindrances(1), (std::vector<Hindrance>{{Kind::other_vaultd, "vaultd-b"}}));
  EXPECT_TRUE(in_hsm(1));
  b_->refusing.keeps_copies = false;
  ASSERT_TRUE(step(b()));
  EXPECT_FALSE(b().trouble());
  EXPECT_TRUE(becomes_destroyed(1));
}

// Each try stands in the log, and there are few.
TEST_P(KeyEndingTest, WhatTheHsmKeepsIsTriedAgainLaterAndTheOthersEnd) {
  retire_empty(1);
  retire_empty(2);
  back_up();
  keys_->refusing.keeps = 1;
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  ASSERT_TRUE(destroy(a(), 2)->hindrances.empty());
  EXPECT_TRUE(becomes_destroyed(2));
  for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(state(1), withdrawn);
  EXPECT_EQ(hindrances(1), std::vector<Hindrance>{{Kind::hsm}});
  const auto tries = std::ranges::count_if(keys_->recorder.entries, [](const audit::Entry& entry) {
    return entry.event_type == EventType::key_destroy && entry.phase == Phase::intent &&
           entry.resources.front() == key_label(kKek, 1);
  });
  EXPECT_EQ(tries, 1);
  start_a();
  EXPECT_TRUE(becomes_destroyed(1));
}

TEST_P(KeyEndingTest, OneThatIsNotTrustedOpensWhatItHasProtectedAndNothingElse) {
  const auto old = tokenize(request());
  ASSERT_TRUE(old);
  EXPECT_EQ(mark(1).error().code(), ErrorCode::conflict) << "it is active";
  EXPECT_EQ(mark(9).error().code(), ErrorCode::not_found);
  rotate_through();
  ASSERT_TRUE(mark(1));
  EXPECT_EQ(mark(1)->state, compromised) << "twice is once";
  EXPECT_TRUE(look_up(old->token));
  EXPECT_EQ(a().to_empty(), std::vector<std::uint32_t>{1}) << "cards move away from it";
  start_a();
  make_vault({});
  EXPECT_TRUE(look_up(old->token));
  ASSERT_TRUE(loop_.run_until_done(a().note_emptied({1})));
  back_up();
  ASSERT_TRUE(destroy(a(), 1)->hindrances.empty());
  EXPECT_EQ(mark(1).error().code(), ErrorCode::conflict);
  ASSERT_TRUE(becomes_destroyed(1));
}

TEST_P(KeyEndingTest, ANewVersionThatIsNotTrustedNeverComesIntoUse) {
  ASSERT_TRUE(rotate(a()));
  ASSERT_EQ(state(2), pre_active);
  ASSERT_TRUE(mark(2));
  for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), active), 1U);
  rotate_through();
  EXPECT_EQ(version(a(), active), 3U);
  EXPECT_EQ(a().to_empty(), (std::vector<std::uint32_t>{1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Databases, KeyEndingTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace strongroom::cde

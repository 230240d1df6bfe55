// The life of vaultd's keys on a real HSM and both databases: what is registered, what a foreign
// hand is noticed by, and how a version comes into use and goes out of it.
#include "cde/keys/key_keeper.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/key_keeper_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::uint64_t kBlock = KeyKeeper::kBlock;
constexpr std::int64_t kDayUs = 86'400'000'000;

TEST_P(KeyKeeperTest, TheFirstStartRegistersAndTheNextReads) {
  const KeyRecords& first = a().records();
  ASSERT_EQ(first.keys.size(), kKeyNames.size());
  for (const RegisteredKey& key : first.keys) {
    EXPECT_EQ(key.state, KeyState::active);
    EXPECT_EQ(key.version, 1U);
  }
  const RegisteredKey kek = *first.find(kKek, 1);
  open_b();
  EXPECT_EQ(b().records().find(kKek, 1)->check_value, kek.check_value);
  EXPECT_EQ(more_reserved(b()), kBlock);
}

TEST_P(KeyKeeperTest, AVersionBecomesActiveWhenAllThatLiveHaveIt) {
  open_b();
  const auto old = tokenize(request());
  ASSERT_TRUE(old);
  ASSERT_TRUE(rotate(a()));
  EXPECT_EQ(version(a(), KeyState::pre_active), 2U);
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 1U) << "b does not have it";
  ASSERT_TRUE(step(b()));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);
  EXPECT_EQ(version(a(), KeyState::retired), 1U);
  EXPECT_EQ(version(b(), KeyState::active), 1U) << "b has not read it yet";
  const auto between = tokenize(request("", "", "5555555555554444"));
  ASSERT_TRUE(between);
  EXPECT_EQ(kek_version(between->token), 2);
  EXPECT_EQ(kek_version(old->token), 1);
  EXPECT_TRUE(look_up(old->token));
  ASSERT_TRUE(step(b()));
  EXPECT_EQ(version(b(), KeyState::active), 2U);
}

TEST_P(KeyKeeperTest, OneThatDiedIsNotWaitedFor) {
  open_b();
  ASSERT_TRUE(step(a()));
  ASSERT_TRUE(rotate(a()));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 1U);
  loop_.run_until_done(loop_.sleep_for(kNoWaits.dead_after));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);
}

TEST_P(KeyKeeperTest, OneThatHasLeftIsNotWaitedFor) {
  open_b();
  ASSERT_TRUE(step(a()));
  loop_.run_until_done(b().leave());
  ASSERT_TRUE(rotate(a()));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);
}

TEST_P(KeyKeeperTest, TheOtherLeadsWhereTheFirstIsAway) {
  open_b();
  loop_.run_until_done(a().leave());
  ASSERT_TRUE(rotate(b()));
  ASSERT_TRUE(step(b()));
  EXPECT_EQ(version(b(), KeyState::active), 2U);
}

// It has read nothing since, and encrypts under what it has: the database does not take that.
TEST_P(KeyKeeperTest, WhatComesUnderAVersionThatIsOutOfUseDoesNotGoIn) {
  std::unique_ptr<OpenKeys> frozen;
  open("vaultd-b", frozen);
  loop_.run_until_done(frozen->keeper.leave());
  rotate_through();
  EXPECT_EQ(a().to_empty(), std::vector<std::uint32_t>{1});
  std::swap(keys_, frozen);
  make_vault({});
  EXPECT_FALSE(tokenize(request()));
  EXPECT_TRUE(rows("SELECT token_id FROM cards").empty());
  ASSERT_TRUE(step(a()));
  EXPECT_TRUE(tokenize(request()));
}

TEST_P(KeyKeeperTest, AForeignHandIsNoticed) {
  rotate_through();
  ASSERT_TRUE(loop_.run_until_done(a().check())->empty());
  const std::vector<std::string_view> edits{
      "UPDATE keys SET uses = uses - 1 WHERE name = 'pan-encryption' AND version = 2",
      "UPDATE keys SET state = 'active' WHERE version = 1",
      "UPDATE keys SET state = 'no-such-state' WHERE version = 2",
      "UPDATE keys SET activated_at = NULL WHERE version = 2",
      "UPDATE keys SET emptied_at = -1 WHERE name = 'pan-encryption' AND version = 1",
      "UPDATE keys SET mac = (SELECT mac FROM keys_seal) WHERE version = 2",
      "DELETE FROM keys WHERE version = 2",
      "INSERT INTO keys SELECT name, 9, check_value, state, created_at, activated_at, state_since,"
      " state_revision, cryptoperiod_us, emptied_at, uses, mac FROM keys WHERE version = 2",
      "UPDATE keys_seal SET kek_floor = 1",
      "UPDATE keys_seal SET revision = revision + 1",
      "DELETE FROM keys_seal"};
  for (const std::string_view edit : edits) {
    write("CREATE TABLE kept_keys AS SELECT * FROM keys");
    write("CREATE TABLE kept_seal AS SELECT * FROM keys_seal");
    write(edit);
    EXPECT_FALSE(loop_.run_until_done(a().check())->empty()) << edit;
    EXPECT_FALSE(
        loop_.run_until_done(OpenKeys(loop_, *lossy_, *hsm_, random_, clock_).keeper.start()))
        << edit;
    write("DELETE FROM keys");
    write("DELETE FROM keys_seal");
    write("INSERT INTO keys SELECT * FROM kept_keys");
    write("INSERT INTO keys_seal SELECT * FROM kept_seal");
    write("DROP TABLE kept_keys");
    write("DROP TABLE kept_seal");
    EXPECT_TRUE(loop_.run_until_done(a().check())->empty()) << edit;
  }
}

TEST_P(KeyKeeperTest, ARowOfAnEarlierTimeIsNoticed) {
  write("CREATE TABLE kept_keys AS SELECT * FROM keys WHERE name = 'pan-encryption'");
  open_b();  // reserves
  write("DELETE FROM keys WHERE name = 'pan-encryption'");
  write("INSERT INTO keys SELECT * FROM kept_keys");
  const auto refused = step(a());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::corrupt);
}

TEST_P(KeyKeeperTest, WhileTheRegistryIsAlteredNothingIsEncrypted) {
  const auto old = tokenize(request());
  ASSERT_TRUE(old);
  write("CREATE TABLE kept_keys AS SELECT * FROM keys");
  write("CREATE TABLE kept_seal AS SELECT * FROM keys_seal");
  const std::vector<std::vector<std::string_view>> hands{
      {"UPDATE keys SET uses = 0 WHERE name = 'pan-encryption'"},
      {"DELETE FROM keys_seal"},
      {"DELETE FROM keys", "DELETE FROM keys_seal"}};
  for (const auto& hand : hands) {
    for (const std::string_view statement : hand) write(statement);
    EXPECT_EQ(step(a()).error().code(), ErrorCode::corrupt) << hand.front();
    EXPECT_EQ(a().trouble()->code(), ErrorCode::corrupt);
    EXPECT_FALSE(loop_.run_until_done(a().check())->empty()) << hand.front();
    const auto refused = tokenize(request("", "", "5555555555554444"));
    ASSERT_FALSE(refused) << hand.front();
    EXPECT_EQ(refused.error().type, ProblemType::sealed);
    EXPECT_TRUE(look_up(old->token)) << "what is there opens";
    write("DELETE FROM keys");
    write("DELETE FROM keys_seal");
    write("INSERT INTO keys SELECT * FROM kept_keys");
    write("INSERT INTO keys_seal SELECT * FROM kept_seal");
    ASSERT_TRUE(step(a()));
    EXPECT_FALSE(a().trouble());
    EXPECT_TRUE(tokenize(request("", "", "5555555555554444")));
  }
}

TEST_P(KeyKeeperTest, UsesAreReservedBeforeTheyAreMade) {
  const auto left = [this] { return keys_->sets.latest()->active(kKek)->uses_left; };
  ASSERT_TRUE(left()->take(left()->left() - 1));
  EXPECT_TRUE(tokenize(request()));
  const auto refused = tokenize(request("", "", "5555555555554444"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ProblemType::hsm_unavailable);
  ASSERT_TRUE(step(a()));
  EXPECT_TRUE(tokenize(request("", "", "5555555555554444")));
  EXPECT_EQ(more_reserved(a()), kBlock);
}

// It may still commit, under the version before.
TEST_P(KeyKeeperTest, NothingIsMovedWhileAnInsertThatBeganBeforeIsOpen) {
  static constexpr std::array kColumns{storage::Column{"id", storage::ColumnType::bytes}};
  rotate_through();
  std::vector<storage::ManyStatement> insert;
  insert.push_back(
      {{"DELETE FROM new_cards WHERE token_id IN (SELECT id FROM {given})", kColumns}, {}});
  lossy_->fates = {LossyDatabase::Fate::held};
  ASSERT_FALSE(loop_.run_until_done(lossy_->write_many(std::move(insert))));
  open("vaultd-a", keys_);
  make_vault({});
  ASSERT_TRUE(step(a()));
  EXPECT_TRUE(a().to_empty().empty());
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(a().to_empty(), std::vector<std::uint32_t>{1});
}

// HMAC has no limit of uses: only counting them must not end anything.
TEST_P(KeyKeeperTest, OnlyTheKekStopsWhereNoUseIsLeft) {
  const auto old = tokenize(request());
  ASSERT_TRUE(old);
  for (const KeyName name : {KeyName::pan_fingerprint, KeyName::blind_index}) {
    const auto left = keys_->sets.latest()->active(name)->uses_left;
    ASSERT_TRUE(left->take(left->left()));
  }
  EXPECT_TRUE(look_up(old->token, caller("mer_a")));
  EXPECT_TRUE(tokenize(request("", "", "5555555555554444"), caller("mer_b")));
}

// A session copy goes on working when the token has lost the key.
TEST_P(KeyKeeperTest, NothingIsActivatedOrMovedToThatTheTokenHasLost) {
  rotate_through();
  ASSERT_TRUE(loop_.run_until_done(database_->write({{"UPDATE cards SET usage_count = 0"}})));
  ASSERT_TRUE(hsm_->token->destroy_key(*hsm_->token->find_key("strongroom/pan-encryption/2")));
  ASSERT_TRUE(step(a()));
  EXPECT_TRUE(a().to_empty().empty());
  ASSERT_TRUE(rotate(a()));
  ASSERT_TRUE(hsm_->token->destroy_key(*hsm_->token->find_key("strongroom/pan-encryption/3")));
  for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);
}

TEST_P(KeyKeeperTest, WithoutTheLogNoUseIsReserved) {
  const auto left = keys_->sets.latest()->active(kKek)->uses_left;
  ASSERT_TRUE(left->take(left->left()));
  keys_->recorder.refuse(true);
  EXPECT_FALSE(step(a()));
  EXPECT_EQ(left->left(), 0);
}

TEST_P(KeyKeeperTest, TwoThatReserveAtOnceBothCount) {
  open_b();
  for (OpenKeys* keys : {keys_.get(), b_.get()}) {
    const auto left = keys->sets.latest()->active(kKek)->uses_left;
    ASSERT_TRUE(left->take(left->left()));
  }
  for (int steps = 0; steps < 3; ++steps) {
    static_cast<void>(step(a()));  // a conflict passes by itself
    static_cast<void>(step(b()));
  }
  EXPECT_EQ(more_reserved(b()), 3 * kBlock);  // b's start, and one of each
  for (OpenKeys* keys : {keys_.get(), b_.get()}) {
    EXPECT_EQ(keys->sets.latest()->active(kKek)->uses_left->left(), KeyKeeper::kBlock);
  }
}

TEST_P(KeyKeeperTest, ItRotatesByItselfWhenTheCryptoperiodIsOver) {
  clock_.now += 90 * kDayUs - 1;
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::pre_active), 0U);
  clock_.now += 1;
  for (int steps = 0; steps < 4; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);
  EXPECT_EQ(a().records().kek_floor, 2U);
  for (int steps = 0; steps < 4; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U) << "once";
}

TEST_P(KeyKeeperTest, ItRotatesByItselfAtItsNumberOfUsesAndStopsAtItsLimit) {
  KeyRegistry registry(*database_, keys_->store);
  const auto used = [&](std::uint64_t uses) {
    KeyRecords next = *loop_.run_until_done(registry.read());
    RegisteredKey key = *next.in_state(kKek, KeyState::active);
    key.uses = uses;
    next.put(key);
    SR_CHECK(loop_.run_until_done(registry.write(next)));
  };
  used(KeyKeeper::kRotateAt);
  for (int steps = 0; steps < 3; ++steps) ASSERT_TRUE(step(a()));
  EXPECT_EQ(version(a(), KeyState::active), 2U);

  keys_->recorder.refuse(true);  // no other version can be made
  used(KeyKeeper::kUsesMax);
  static_cast<void>(step(a()));
  const auto left = keys_->sets.latest()->active(kKek)->uses_left;
  ASSERT_TRUE(left->take(left->left()));
  keys_->recorder.refuse(false);
  SR_CHECK(loop_.run_until_done(database_->write({{"DELETE FROM vault_instances"}})));
  SR_CHECK(loop_.run_until_done(VaultInstances(*database_).beat("first", 0)));  // which leads
  ASSERT_TRUE(step(a()));
  EXPECT_EQ(left->left(), 0);
  EXPECT_FALSE(tokenize(request()));
}

TEST_P(KeyKeeperTest, OneRotationAtATime) {
  open_b();
  ASSERT_TRUE(rotate(b()));
  const auto second = rotate(a());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  EXPECT_EQ(rotate(a(), KeyName::blind_index).error().code(), ErrorCode::invalid_argument);
}

// What stands under a key that no registry names, nobody knows.
TEST_P(KeyKeeperTest, AVersionThatTheHsmHasIsPassedBy) {
  lossy_->refused_writes = 1;
  EXPECT_FALSE(rotate(a()));
  EXPECT_EQ(loop_.run_until_done(a().check())->at(0).label, "strongroom/pan-encryption/2");
  const auto made = rotate(a());
  ASSERT_TRUE(made);
  EXPECT_EQ(made->version, 3U);
}

TEST_P(KeyKeeperTest, EachStepStandsInTheLogWithItsOutcome) {
  keys_->recorder.entries.clear();
  rotate_through();
  EXPECT_EQ(types(keys_->recorder),
            (std::vector{EventType::key_generate, EventType::key_generate, EventType::key_reserve,
                         EventType::key_activate, EventType::key_activate, EventType::key_retire,
                         EventType::key_retire}));
  const auto& entries = keys_->recorder.entries;
  EXPECT_EQ(entries[0].user, "operator");
  EXPECT_EQ(entries[0].resources, std::vector<std::string>{"strongroom/pan-encryption/2"});
  for (const std::size_t intent : {0U, 3U, 5U}) {
    EXPECT_EQ(entries[intent].phase, Phase::intent);
    EXPECT_EQ(entries[intent + 1].outcome, Outcome::done);
    EXPECT_EQ(*loop_.run_until_done(a().outcome_of(entries[intent])), Outcome::done);
  }
  audit::Entry other = entries[0];
  other.resources = {"strongroom/pan-encryption/3"};
  EXPECT_EQ(*loop_.run_until_done(a().outcome_of(other)), Outcome::not_done);
}

TEST_P(KeyKeeperTest, WithoutTheLogNoKeyIsMade) {
  keys_->recorder.refuse(true);
  EXPECT_FALSE(rotate(a()));
  EXPECT_TRUE(loop_.run_until_done(a().check())->empty());
}

TEST_P(KeyKeeperTest, ARetiredKeyThatIsGoneFromTheHsmIsToldAndTheRestWorks) {
  const auto old = tokenize(request());
  ASSERT_TRUE(old);
  rotate_through();
  const auto handle = hsm_->token->find_key("strongroom/pan-encryption/2");
  ASSERT_TRUE(handle);
  const auto fresh = tokenize(request("", "", "5555555555554444"));
  ASSERT_TRUE(fresh);
  ASSERT_TRUE(rotate(a()));
  for (int steps = 0; steps < 4; ++steps) ASSERT_TRUE(step(a()));
  ASSERT_EQ(version(a(), KeyState::active), 3U);
  ASSERT_TRUE(hsm_->token->destroy_key(*handle));
  EXPECT_EQ(loop_.run_until_done(a().check())->at(0).text, "is registered, but not in the HSM");
  open("vaultd-a", keys_);
  make_vault({});
  EXPECT_TRUE(look_up(old->token));
  EXPECT_FALSE(look_up(fresh->token));
  EXPECT_TRUE(tokenize(request("", "", "378282246310005")));
}

INSTANTIATE_TEST_SUITE_P(Databases, KeyKeeperTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace strongroom::cde

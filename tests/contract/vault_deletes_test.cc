// Deletes above their budget: they wait in the database, the card lives on, and an operator
// decides. Two vaults on one database stand for two vaultd.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cde/vault/delete_desk.h"
#include "cde/vault/purge_job.h"
#include "cde/vault/release_job.h"
#include "contract/each_database.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kLive = "SELECT token_id FROM cards WHERE deleted_at IS NULL";
constexpr std::string_view kHeld = "SELECT token_id FROM held_deletes";
constexpr Budget kSmall{.merchant = 5, .identity = 3};  // 12 and 20 seconds each
constexpr std::int64_t kSecondUs = 1'000'000;

class HeldDeletesTest : public OnEachDatabase<ResolveTest> {
 protected:
  HeldDeletesTest() {
    held_deletes_ = std::make_unique<HeldDeletes>(*lossy_, kSmall);
    make_vault({});
  }
  static Caller key(const std::string& name, std::string merchant = "mer_a") {
    Caller who = caller(std::move(merchant));
    who.subject = name;
    return who;
  }
  std::vector<PublicToken> add_cards(std::size_t count, const Caller& who = key("key_1")) {
    std::vector<PublicToken> tokens;
    for (const std::string& number : alike(count)) {
      tokens.push_back(tokenize(request("", "", number), who)->token);
    }
    return tokens;
  }
  bool is_held(const Answer<Erasure>& erased) {
    SR_CHECK(erased);
    return erased->held_at_us.has_value();
  }
  // Spends the budget of `who`, and holds `count` more; gives those.
  std::vector<PublicToken> hold(std::size_t count, const Caller& who) {
    std::vector<PublicToken> held;
    for (const PublicToken& token : add_cards(kSmall.identity + count, who)) {
      if (is_held(erase(token, who))) held.push_back(token);
    }
    SR_CHECK(held.size() == count);
    return held;
  }
  DeleteDesk desk() {
    return DeleteDesk({*held_deletes_, keys_->ring, recorder_, random_, clock_});
  }
  Answer<std::uint64_t> decide(Decision decision, const DeleteDesk::Chosen& chosen) {
    DeleteDesk one = desk();
    return loop_.run_until_done(one.decide(decision, chosen, "uid:7"));
  }
  std::vector<DeleteDesk::Held> list(std::size_t page = 100) {
    DeleteDesk one = desk();
    std::vector<DeleteDesk::Held> all;
    HeldDeletes::GroupMark mark;
    for (;;) {
      auto some = *loop_.run_until_done(one.list(mark, page));
      if (some.empty()) return all;
      mark = {some.back().group.merchant, some.back().group.key};
      for (DeleteDesk::Held& held : some) all.push_back(std::move(held));
    }
  }
  std::size_t carry_out() {
    ReleaseJob job({loop_, *held_deletes_, *vault_, clock_, metrics_});
    return loop_.run_until_done(job.run_once());
  }
  std::vector<audit::Entry> entries(EventType type, Phase phase) {
    std::vector<audit::Entry> found;
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.event_type == type && entry.phase == phase) found.push_back(entry);
    }
    return found;
  }
};

TEST_P(HeldDeletesTest, ABurstWaitsAndItsCardsLiveOn) {
  const std::vector<PublicToken> tokens = add_cards(6);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(is_held(erase(tokens[i], key("key_1"))));
  for (std::size_t i = 3; i < 6; ++i) EXPECT_TRUE(is_held(erase(tokens[i], key("key_1"))));
  EXPECT_EQ(rows(kHeld).size(), 3U);
  EXPECT_TRUE(look_up(tokens[3]));
  EXPECT_TRUE(resolve(tokens[3], ask("pay_1")));

  const std::vector<audit::Entry> intents = entries(EventType::delete_hold, Phase::intent);
  ASSERT_EQ(intents.size(), 3U);
  EXPECT_EQ(intents[0].gateway_token, tokens[3].text());
  EXPECT_EQ(intents[0].merchant_id, "mer_a");
  EXPECT_EQ(intents[0].user, "key_1");
  EXPECT_EQ(entries(EventType::delete_hold, Phase::outcome)[0].outcome, Outcome::done);
  expect_balanced();
  EXPECT_EQ(carry_out(), 0U);
  EXPECT_EQ(rows(kLive).size(), 3U);
}

TEST_P(HeldDeletesTest, AskingAgainChangesNothingAlsoOnceTheBudgetIsBack) {
  const PublicToken token = hold(1, key("key_1"))[0];
  const std::int64_t since = *erase(token, key("key_2"))->held_at_us;
  clock_.now += 120 * kSecondUs;
  EXPECT_EQ(erase(token, key("key_1"))->held_at_us, since);
  EXPECT_EQ(rows(kHeld).size(), 1U);
  EXPECT_TRUE(look_up(token));
}

TEST_P(HeldDeletesTest, AKeysBudgetLeavesTheRestOfTheMerchantsToOthers) {
  hold(4, key("key_1"));
  int erased = 0;
  for (const PublicToken& token : add_cards(12, key("key_2"))) {
    if (!is_held(erase(token, key("key_2")))) ++erased;
  }
  EXPECT_EQ(erased, kSmall.merchant - kSmall.identity);  // the merchant's is spent then
  const PublicToken other = add_cards(1, key("key_9", "mer_b"))[0];
  EXPECT_FALSE(is_held(erase(other, key("key_9", "mer_b"))));
}

TEST_P(HeldDeletesTest, WhatIsSpentComesBack) {
  hold(1, key("key_1"));
  const std::vector<PublicToken> tokens = add_cards(12);
  auto erase_next = [&, next = std::size_t{5}]() mutable {
    return !is_held(erase(tokens[next++], key("key_1")));
  };
  clock_.now += 20 * kSecondUs - 1;
  EXPECT_FALSE(erase_next());
  clock_.now += 1;
  EXPECT_TRUE(erase_next());
  EXPECT_FALSE(erase_next());
  clock_.now += 3600 * kSecondUs;
  for (int i = 0; i < kSmall.identity; ++i) EXPECT_TRUE(erase_next());
  EXPECT_FALSE(erase_next());
}

TEST_P(HeldDeletesTest, TwoVaultsCountAsOne) {
  const std::vector<PublicToken> tokens = add_cards(5);
  EXPECT_FALSE(is_held(erase(tokens[0], key("key_1"))));
  EXPECT_FALSE(is_held(erase(tokens[1], key("key_1"))));
  held_deletes_ = std::make_unique<HeldDeletes>(*lossy_, kSmall);
  make_vault({});
  EXPECT_FALSE(is_held(erase(tokens[2], key("key_1"))));
  EXPECT_TRUE(is_held(erase(tokens[3], key("key_1"))));
}

TEST_P(HeldDeletesTest, WhatIsNotThereCostsNothing) {
  const std::vector<PublicToken> tokens = add_cards(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(erase(PublicToken::generate(random_), key("key_1")).error().type,
              ProblemType::not_found);
  }
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(is_held(erase(tokens[0], key("key_1"))));
}

TEST_P(HeldDeletesTest, WithoutAuditNothingIsHeld) {
  const std::vector<PublicToken> tokens = add_cards(4);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(is_held(erase(tokens[i], key("key_1"))));
  recorder_.refuse(true);
  EXPECT_EQ(erase(tokens[3], key("key_1")).error().type, ProblemType::audit_unavailable);
  EXPECT_TRUE(rows(kHeld).empty());
  recorder_.refuse(false);
  EXPECT_TRUE(is_held(erase(tokens[3], key("key_1"))));
  recorder_.refuse(true);
  EXPECT_EQ(decide(Decision::release, {"mer_a", ""}).error().type, ProblemType::audit_unavailable);
  EXPECT_EQ(carry_out(), 0U);
  EXPECT_TRUE(rows(kLive).size() == 1);
}

TEST_P(HeldDeletesTest, TheOperatorSeesMerchantsAndKeys) {
  hold(2, key("key_1"));
  clock_.now += kSecondUs;
  hold(1, key("key_2", "mer_b"));
  for (const std::size_t page : {1U, 100U}) {
    const std::vector<DeleteDesk::Held> all = list(page);
    ASSERT_EQ(all.size(), 2U);
    const auto of_a = std::ranges::find(all, "mer_a", &DeleteDesk::Held::merchant);
    ASSERT_NE(of_a, all.end());
    EXPECT_EQ(of_a->key, "key_1");
    EXPECT_EQ(of_a->group.held, 2);
    EXPECT_EQ(of_a->group.released, 0);
    EXPECT_EQ(of_a->group.first_us, clock_.now - kSecondUs);
    const auto& of_b = of_a == all.begin() ? all[1] : all[0];
    EXPECT_EQ(of_b.merchant, "mer_b");
    EXPECT_EQ(of_b.key, "key_2");
  }
}

TEST_P(HeldDeletesTest, ReleasedOnesAreErasedInTheOperatorsName) {
  const std::vector<PublicToken> held = hold(3, key("key_1"));
  ASSERT_TRUE(resolve(held[0], ask("pay_1")));
  const std::vector<PublicToken> others = hold(1, key("key_2", "mer_b"));
  recorder_.entries.clear();
  EXPECT_EQ(decide(Decision::release, {"mer_a", ""}), 3U);
  const std::vector<DeleteDesk::Held> all = list();
  EXPECT_EQ(std::ranges::find(all, "mer_a", &DeleteDesk::Held::merchant)->group.released, 3);
  EXPECT_TRUE(look_up(held[0]));  // until it is carried out
  EXPECT_EQ(carry_out(), 3U);
  for (const PublicToken& token : held) {
    EXPECT_EQ(look_up(token).error().type, ProblemType::token_deleted);
    EXPECT_FALSE(is_held(erase(token, key("key_1"))));
  }
  EXPECT_EQ(rows(kHeld).size(), 1U);
  EXPECT_TRUE(look_up(others[0], caller("mer_b")));
  EXPECT_EQ(run_removals(), 1U);  // at its processor, too
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));

  const std::vector<audit::Entry> said = entries(EventType::delete_release, Phase::outcome);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].user, "uid:7");
  EXPECT_EQ(said[0].merchant_id, "mer_a");
  EXPECT_EQ(said[0].count, 3U);
  std::vector<std::string> erased;
  for (const audit::Entry& entry : entries(EventType::token_delete, Phase::outcome)) {
    EXPECT_EQ(entry.user, "uid:7");
    EXPECT_EQ(entry.merchant_id, "mer_a");
    EXPECT_EQ(entry.outcome, Outcome::done);
    erased.push_back(entry.gateway_token);
  }
  EXPECT_THAT(erased, UnorderedElementsAre(held[0].text(), held[1].text(), held[2].text()));
  expect_balanced();
  EXPECT_EQ(decide(Decision::release, {"mer_a", ""}).error().type, ProblemType::not_found);
}

TEST_P(HeldDeletesTest, RefusedOnesLeaveTheirCards) {
  const std::vector<PublicToken> held = hold(2, key("key_1"));
  EXPECT_EQ(decide(Decision::refuse, {"mer_a", "key_1"}), 2U);
  EXPECT_TRUE(rows(kHeld).empty());
  EXPECT_EQ(carry_out(), 0U);
  EXPECT_TRUE(look_up(held[0]));
  const std::vector<audit::Entry> said = entries(EventType::delete_refuse, Phase::outcome);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].count, 2U);
  EXPECT_THAT(said[0].resources, ElementsAre("key_1"));
  clock_.now += 120 * kSecondUs;
  EXPECT_FALSE(is_held(erase(held[0], key("key_1"))));
}

TEST_P(HeldDeletesTest, ADecisionOnOneKeyLeavesTheOthers) {
  hold(2, key("key_1"));
  const std::vector<PublicToken> tokens = add_cards(12, key("key_2"));
  for (const PublicToken& token : tokens) {
    static_cast<void>(erase(token, key("key_2")));
  }
  const std::size_t before = rows(kHeld).size();
  EXPECT_EQ(decide(Decision::refuse, {"mer_a", "key_1"}), 2U);
  EXPECT_EQ(rows(kHeld).size(), before - 2);
  EXPECT_EQ(decide(Decision::refuse, {"mer_a", "key_3"}).error().type, ProblemType::not_found);
  EXPECT_EQ(decide(Decision::refuse, {"mer_b", "key_2"}).error().type, ProblemType::not_found);
}

TEST_P(HeldDeletesTest, WhatCannotBeCarriedOutIsLater) {
  const std::vector<PublicToken> held = hold(3, key("key_1"));
  ASSERT_TRUE(decide(Decision::release, {"mer_a", ""}));
  recorder_.entries.clear();
  lossy_->fates = {LossyDatabase::Fate::held};
  EXPECT_EQ(carry_out(), 0U);
  EXPECT_EQ(rows(kLive).size(), 3U);
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));  // the server had them, after all
  EXPECT_TRUE(rows(kLive).empty());
  EXPECT_TRUE(rows(kHeld).empty());
  EXPECT_EQ(carry_out(), 0U);
  wait_until_entries(6);
  for (const audit::Entry& entry : entries(EventType::token_delete, Phase::outcome)) {
    EXPECT_EQ(entry.outcome, Outcome::done);
  }
  expect_balanced();
}

TEST_P(HeldDeletesTest, ACardThatExpiresMeanwhileTakesItsHeldDeleteAlong) {
  const PublicToken token = hold(1, key("key_1"))[0];
  write("UPDATE cards SET expires_at = 1 WHERE deleted_at IS NULL");
  PurgeJob job({loop_, *cards_, *vault_, recorder_, random_, clock_, std::chrono::hours(0)});
  EXPECT_EQ(loop_.run_until_done(job.run_once()).erased, 1U);
  EXPECT_TRUE(rows(kHeld).empty());
  EXPECT_FALSE(is_held(erase(token, key("key_1"))));
}

TEST_P(HeldDeletesTest, AnOpenIntentIsClosedFromTheDatabase) {
  hold(2, key("key_1"));
  const std::vector<audit::Entry> intents = entries(EventType::delete_hold, Phase::intent);
  audit::Entry other = intents[1];  // another request was faster
  other.operation_id = crypto::new_operation_id(random_, clock_);
  audit::Entry decided = intents[0];
  decided.event_type = EventType::delete_release;
  decided.gateway_token.clear();
  recorder_.open = {intents[0], other, decided};
  recorder_.entries.clear();
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 3U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
  EXPECT_EQ(recorder_.entries[2].outcome, Outcome::unknown);
}

// Whoever can read the database learns no merchant and no key from it.
TEST_P(HeldDeletesTest, TheRowNamesNobody) {
  hold(1, key("key_1"));
  const storage::Rows held = rows(
      "SELECT token_id, merchant_index, key_index, subject_sealed, operation_id FROM held_deletes");
  for (const storage::Value& value : held[0]) {
    const std::string bytes(as_text(*value.bytes()));
    EXPECT_EQ(bytes.find("key_1"), std::string::npos);
    EXPECT_EQ(bytes.find("mer_a"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, HeldDeletesTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde

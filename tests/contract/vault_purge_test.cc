// Cards whose time is over: their tokens say so for good, the cards go, and the log shows it.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cde/vault/purge_job.h"
#include "contract/each_database.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::string_view kLive = "SELECT token_id FROM cards WHERE deleted_at IS NULL";

class PurgeTest : public OnEachDatabase<ResolveTest> {
 protected:
  // Cards alike, of which each but the last `staying` ends a second after the one before.
  std::vector<PublicToken> add_expiring(std::size_t count, std::size_t staying = 0) {
    std::vector<PublicToken> tokens;
    const std::vector<std::string> numbers = alike(count);
    for (std::size_t i = 0; i < count; ++i) {
      TokenRequest sent = request("", "", numbers[i]);
      if (i + staying < count) sent.expires_at_us = clock_.now + kHourUs + second(i);
      // The guard against trying numbers knows each merchant's cards.
      tokens.push_back(tokenize(std::move(sent), owner(i))->token);
    }
    return tokens;
  }
  static std::int64_t second(std::size_t count) {
    return static_cast<std::int64_t>(count) * 1'000'000;
  }
  static Caller owner(std::size_t i) { return caller("mer_" + std::to_string(i % 16)); }

  PurgeJob::Report purge(std::chrono::hours after = {}) {
    PurgeJob job({loop_, *cards_, *vault_, recorder_, random_, clock_, after});
    return loop_.run_until_done(job.run_once());
  }
  std::vector<audit::Entry> expiries(Phase phase) {
    std::vector<audit::Entry> found;
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.event_type == EventType::token_expire && entry.phase == phase) {
        found.push_back(entry);
      }
    }
    return found;
  }
};

TEST_P(PurgeTest, WhatExpiredIsErasedAndItsTokenSaysExpiredForGood) {
  constexpr std::size_t kCards = PurgeJob::kBatch + 6, kStaying = 3;
  const std::vector<PublicToken> tokens = add_expiring(kCards, kStaying);
  const std::int64_t first = clock_.now + kHourUs;
  clock_.now += 2 * kHourUs;
  const PurgeJob::Report report = purge();
  EXPECT_EQ(report.erased, kCards - kStaying);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(rows(kLive).size(), kStaying);
  EXPECT_EQ(rows("SELECT token_id FROM cards WHERE deleted_at IS NOT NULL AND wrapped_dek IS NULL "
                 "AND fingerprint_odd IS NULL AND fingerprint_even IS NULL AND card_sealed IS NULL "
                 "AND token_sealed IS NULL AND merchant_sealed IS NULL AND details_sealed IS NULL")
                .size(),
            kCards - kStaying);

  EXPECT_EQ(look_up(tokens[0], owner(0)).error().type, ProblemType::token_expired);
  EXPECT_EQ(resolve(tokens[0], ask("pay_1"), owner(0)).error().type, ProblemType::token_expired);
  EXPECT_EQ(look_up(tokens[0], owner(1)).error().type, ProblemType::not_found);
  EXPECT_TRUE(erase(tokens[0], owner(0)));
  EXPECT_EQ(look_up(tokens[0], owner(0)).error().type, ProblemType::token_expired);
  EXPECT_TRUE(look_up(tokens[kCards - 1], owner(kCards - 1)));

  // In each merchant's log its own, and what they come to in the operator's.
  const std::vector<audit::Entry> intents = expiries(Phase::intent);
  ASSERT_EQ(intents.size(), kCards - kStaying);
  for (std::size_t i = 0; i < kCards - kStaying; ++i) {
    const auto mine = std::ranges::find(intents, tokens[i].text(), &audit::Entry::gateway_token);
    ASSERT_NE(mine, intents.end());
    EXPECT_EQ(mine->merchant_id, owner(i).merchant);
  }
  const std::vector<audit::Entry> told = expiries(Phase::single);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, kCards - kStaying);
  EXPECT_EQ(told[0].merchant_id, "");
  EXPECT_THAT(told[0].resources,
              ElementsAre(rfc3339(first), rfc3339(first + second(kCards - kStaying - 1))));
  expect_balanced();

  EXPECT_EQ(purge().erased, 0U);
  EXPECT_EQ(expiries(Phase::single).size(), 1U);  // nothing to tell
}

TEST_P(PurgeTest, ACardIsKeptForTheHoursThatAreSet) {
  add_expiring(1);
  clock_.now += 5 * kHourUs;
  EXPECT_EQ(purge(std::chrono::hours(5)).erased, 0U);
  clock_.now += kHourUs;
  EXPECT_EQ(purge(std::chrono::hours(5)).erased, 1U);
}

TEST_P(PurgeTest, WhatProcessorsHaveOfItIsRemoved) {
  const std::vector<PublicToken> tokens = add_expiring(1);
  ASSERT_TRUE(resolve(tokens[0], ask("pay_1"), owner(0)));
  clock_.now += 2 * kHourUs;
  EXPECT_EQ(purge().erased, 1U);
  EXPECT_EQ(run_removals(), 1U);
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));
}

TEST_P(PurgeTest, WhatFailsIsErasedByALaterRun) {
  add_expiring(10);
  clock_.now += 2 * kHourUs;
  recorder_.refuse(true);
  const PurgeJob::Report unlogged = purge();
  EXPECT_EQ(unlogged.erased, 0U);
  EXPECT_FALSE(unlogged.complete);
  EXPECT_EQ(rows(kLive).size(), 10U);
  recorder_.refuse(false);

  recorder_.entries.clear();
  lossy_->fates = {LossyDatabase::Fate::refused};
  const PurgeJob::Report none = purge();
  EXPECT_EQ(none.erased, 0U);
  EXPECT_EQ(none.failed, 10U);
  EXPECT_FALSE(none.complete);
  EXPECT_EQ(purge().erased, 10U);
  EXPECT_TRUE(rows(kLive).empty());
  // Ten were done, ten tried in vain and settled, and one run told of.
  wait_until_entries(2 * (10 + 10) + 1);
  expect_balanced();
}

TEST_P(PurgeTest, ARowThatDoesNotOpenHoldsUpNoOther) {
  add_expiring(3);
  write(
      "UPDATE cards SET merchant_sealed = card_sealed WHERE token_id = (SELECT token_id FROM "
      "cards ORDER BY expires_at LIMIT 1)");
  clock_.now += 2 * kHourUs;
  const PurgeJob::Report report = purge();
  EXPECT_EQ(report.erased, 2U);
  EXPECT_EQ(report.failed, 1U);
}

// A clock that is set wrong makes every card look old.
TEST_P(PurgeTest, NothingIsErasedByAClockThatJumps) {
  const std::vector<PublicToken> tokens = add_expiring(1);
  PurgeJob job({loop_, *cards_, *vault_, recorder_, random_, clock_, std::chrono::hours(0)});
  const std::int64_t true_time = clock_.now;
  clock_.now += 48 * kHourUs;
  EXPECT_TRUE(job.clock_jumped());
  EXPECT_EQ(loop_.run_until_done(job.run_once()).erased, 0U);
  EXPECT_EQ(look_up(tokens[0], owner(0)).error().type, ProblemType::token_expired);
  clock_.now = true_time;
  EXPECT_FALSE(job.clock_jumped());
  EXPECT_TRUE(look_up(tokens[0], owner(0)));
}

TEST_P(PurgeTest, AnOpenIntentIsClosedFromTheDatabase) {
  add_expiring(1);
  clock_.now += 2 * kHourUs;
  ASSERT_EQ(purge().erased, 1U);
  audit::Entry lost = expiries(Phase::intent)[0];
  recorder_.open = {lost};
  lost.operation_id = crypto::new_operation_id(random_, clock_);
  recorder_.open.push_back(lost);
  recorder_.entries.clear();
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
}

INSTANTIATE_TEST_SUITE_P(Databases, PurgeTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde

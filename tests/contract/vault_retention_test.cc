// A merchant's cards are kept no longer than the operator has set, those that were there before
// too.
#include <algorithm>
#include <optional>
#include <string>

#include "cde/vault/purge_job.h"
#include "contract/each_database.h"
#include "contract/vault_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::int64_t kLongUs = 400 * kDayUs;

class RetentionTest : public OnEachDatabase<VaultTest> {
 protected:
  // Added now by `merchant`, to end at `asked_us` if it says so.
  PublicToken add(const std::string& merchant, std::optional<std::int64_t> asked_us = {}) {
    TokenRequest sent = request("", "", alike(9)[added_++]);
    sent.expires_at_us = asked_us;
    const auto view = tokenize(std::move(sent), caller(merchant));
    SR_CHECK(view);
    return view->token;
  }
  std::optional<std::int64_t> end_of(const PublicToken& token, const std::string& merchant) {
    return look_up(token, caller(merchant))->expires_at_us;
  }
  Result<bool> run(RetentionJob& job) {
    Result<bool> more = true;
    while (more && *more) more = loop_.run_until_done(job.step());
    return more;
  }
  RetentionJob job() {
    return RetentionJob({loop_, *cards_, keys_->ring, recorder_, random_, clock_}, retention_);
  }
  std::size_t added_ = 0;
};

TEST_P(RetentionTest, ANewCardEndsWhenItsMerchantsCardsMust) {
  retention_.of_merchant = {{"mer_a", std::chrono::days(90)}};
  const std::int64_t now = clock_.now;
  EXPECT_EQ(end_of(add("mer_a"), "mer_a"), now + 90 * kDayUs);
  EXPECT_EQ(end_of(add("mer_a", now + kLongUs), "mer_a"), now + 90 * kDayUs);
  EXPECT_EQ(end_of(add("mer_a", now + kDayUs), "mer_a"), now + kDayUs);
  EXPECT_EQ(end_of(add("mer_b", now + kLongUs), "mer_b"), now + kLongUs);
  EXPECT_EQ(end_of(add("mer_b"), "mer_b"), std::nullopt);
  retention_.of_others = std::chrono::days(5);
  EXPECT_EQ(end_of(add("mer_b"), "mer_b"), now + 5 * kDayUs);
  EXPECT_EQ(end_of(add("mer_a"), "mer_a"), now + 90 * kDayUs);
}

TEST_P(RetentionTest, CardsThatAreThereEndEarlierAndNoneLater) {
  const std::int64_t added_at = clock_.now;
  const PublicToken endless = add("mer_a");
  const PublicToken lasting = add("mer_a", added_at + kLongUs);
  const PublicToken brief = add("mer_a", added_at + 3 * kDayUs);
  const PublicToken other = add("mer_b");
  const PublicToken gone = add("mer_a");
  ASSERT_TRUE(erase(gone, caller("mer_a")));
  clock_.now += kDayUs;
  recorder_.entries.clear();

  retention_.of_merchant = {{"mer_a", std::chrono::days(90)}};
  RetentionJob shorten = job();
  ASSERT_TRUE(run(shorten));
  EXPECT_EQ(shorten.shortened(), 2U);
  EXPECT_EQ(end_of(endless, "mer_a"), added_at + 90 * kDayUs);
  EXPECT_EQ(end_of(lasting, "mer_a"), added_at + 90 * kDayUs);
  EXPECT_EQ(end_of(brief, "mer_a"), added_at + 3 * kDayUs);
  EXPECT_EQ(end_of(other, "mer_b"), std::nullopt);
  EXPECT_EQ(look_up(gone, caller("mer_a")).error().type, ProblemType::token_deleted);
  const auto told =
      std::ranges::find(recorder_.entries, EventType::token_update, &audit::Entry::event_type);
  ASSERT_NE(told, recorder_.entries.end());
  EXPECT_EQ(told->phase, Phase::intent);
  EXPECT_EQ(told->count, 2U);
  EXPECT_EQ(told->merchant_id, "");
  expect_balanced();

  RetentionJob again = job();
  ASSERT_TRUE(run(again));
  EXPECT_EQ(again.shortened(), 0U);
  retention_.of_merchant = {{"mer_a", std::chrono::days(300)}};
  RetentionJob longer = job();
  ASSERT_TRUE(run(longer));
  EXPECT_EQ(end_of(endless, "mer_a"), added_at + 90 * kDayUs);
}

TEST_P(RetentionTest, ATableThatChangesIsAppliedToAllCardsAnew) {
  const std::int64_t added_at = clock_.now;
  const PublicToken token = add("mer_a"), other = add("mer_b");
  RetentionJob shorten = job();  // without a table there is nothing to do
  loop_.run_until_done(shorten.run());
  EXPECT_EQ(end_of(token, "mer_a"), std::nullopt);
  shorten.set({.of_merchant = {{"mer_a", std::chrono::days(9)}}, .of_others = {}});
  const auto wait_for_end = [&](const PublicToken& of, const std::string& merchant) {
    for (int i = 0; i < 1000 && !end_of(of, merchant); ++i) {
      loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(5)));
    }
    return end_of(of, merchant);
  };
  EXPECT_EQ(wait_for_end(token, "mer_a"), added_at + 9 * kDayUs);
  EXPECT_EQ(end_of(other, "mer_b"), std::nullopt);
  shorten.set({.of_merchant = {{"mer_b", std::chrono::days(7)}}, .of_others = {}});
  EXPECT_EQ(wait_for_end(other, "mer_b"), added_at + 7 * kDayUs);
  loop_.run_until_done(loop_.sleep_for(2 * RetentionJob::kStep));
}

TEST_P(RetentionTest, WhatIsOverIsPurged) {
  const PublicToken token = add("mer_a");
  clock_.now += 10 * kDayUs;
  retention_.of_others = std::chrono::days(9);
  RetentionJob shorten = job();
  ASSERT_TRUE(run(shorten));
  EXPECT_EQ(look_up(token, caller("mer_a")).error().type, ProblemType::token_expired);
  PurgeJob purge({loop_, *cards_, *vault_, recorder_, random_, clock_, std::chrono::hours(0)});
  EXPECT_EQ(loop_.run_until_done(purge.run_once()).erased, 1U);
}

TEST_P(RetentionTest, NothingIsShortenedThatCannotBeLogged) {
  const PublicToken token = add("mer_a");
  retention_.of_others = std::chrono::days(9);
  RetentionJob shorten = job();
  recorder_.refuse(true);
  EXPECT_FALSE(run(shorten));
  recorder_.refuse(false);
  EXPECT_EQ(end_of(token, "mer_a"), std::nullopt);
  lossy_->fates = {LossyDatabase::Fate::refused};
  EXPECT_FALSE(run(shorten));
  ASSERT_TRUE(run(shorten));  // the page comes again
  EXPECT_EQ(shorten.shortened(), 1U);
  EXPECT_TRUE(end_of(token, "mer_a"));
  expect_balanced();
}

TEST_P(RetentionTest, AnOpenIntentIsClosedAsUnknown) {
  audit::Entry lost;
  lost.event_type = EventType::token_update;
  lost.phase = Phase::intent;
  lost.operation = kRetentionOperation;
  lost.operation_id = crypto::new_operation_id(random_, clock_);
  recorder_.open = {lost};
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::unknown);
}

INSTANTIATE_TEST_SUITE_P(Databases, RetentionTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde

// Processor tokens that are kept at once: one write for many cards, and each has its own fate.
#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contract/each_database.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

using ::testing::ElementsAre;
using Kept = ProcessorTokenStore::Kept;
using Keeping = ProcessorTokenStore::Keeping;

class KeepTest : public OnEachDatabase<ResolveTest> {
 protected:
  // Of different cards, each at its processor already where `at_processor`.
  std::vector<PublicToken> add_tokens(std::size_t count, bool at_processor) {
    std::vector<PublicToken> tokens;
    for (const std::string& number : alike(count)) {
      tokens.push_back(tokenize(request("", "", number))->token);
      if (at_processor) SR_CHECK(resolve(tokens.back(), ask("pay_1")));
    }
    return tokens;
  }
  CardRow card_of(const PublicToken& token) {
    return *loop_.run_until_done(cards_->find_by_token(token.hash()))->card;
  }
  std::optional<ProcessorTokenRow> stored(const CardRow& card, std::string_view account_id) {
    const AccountKey account = account_key(card.token_id, account_id);
    return *loop_.run_until_done(processor_tokens_->find(card.token_id, account));
  }
  // In the place of `replaced`, by an operation of its own.
  Keeping keeping(const CardRow& card, std::string_view account_id,
                  std::optional<OperationId> replaced = std::nullopt) {
    Keeping what{.token = card.token_id,
                 .card_operation = card.operation,
                 .row = {.account = account_key(card.token_id, account_id),
                         .sealed = card.sealed.token,  // any
                         .operation = crypto::new_operation_id(random_, clock_)}};
    if (replaced) what.replaced.emplace(*replaced, removal());
    return what;
  }
  Removal removal() {
    return {.id = crypto::new_id<RemovalId>(random_, clock_),
            .connector = "stripe",
            .what = {.account = "account", .processor_token = "token"}};
  }
  template <class Outcome>
  void run_until_all(const std::vector<std::optional<Outcome>>& outcomes) {
    const auto all = [&] {
      return std::ranges::all_of(outcomes, [](const auto& one) { return one.has_value(); });
    };
    run_until(all);
  }
  // Submitted in one turn of the loop; fates in their order.
  std::vector<Result<Kept>> keep_at_once(const std::vector<Keeping>& all) {
    std::vector<std::optional<Result<Kept>>> fates(all.size());
    auto one = [](ProcessorTokenStore& store, Keeping what,
                  std::optional<Result<Kept>>& out) -> async::Task<> {
      out.emplace(co_await store.keep(std::move(what)));
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
      async::spawn(one(*processor_tokens_, all[i], fates[i]));
    }
    run_until_all(fates);
    std::vector<Result<Kept>> known;
    for (auto& fate : fates) known.push_back(*std::move(fate));
    return known;
  }
};

TEST_P(KeepTest, EachOfABatchHasItsOwnFate) {
  const std::vector<PublicToken> tokens = add_tokens(4, true);
  std::vector<CardRow> cards;
  for (const PublicToken& token : tokens) cards.push_back(card_of(token));
  CardRow changed = cards[1];
  changed.operation = crypto::new_operation_id(random_, clock_);
  const OperationId stands = stored(cards[2], "acc_1")->operation;
  const std::vector<Keeping> all{
      keeping(cards[3], "acc_1", changed.operation),  // not what stands there
      keeping(cards[2], "acc_1", stands),
      keeping(changed, "acc_2"),
      keeping(changed, "acc_1", stored(cards[1], "acc_1")->operation),
      keeping(cards[0], "acc_2"),
      keeping(cards[0], "acc_2"),  // a second time: one of them is first
      keeping(cards[0], "acc_3"),
      keeping(cards[0], "acc_1"),  // another stands there
      keeping(cards[1], "acc_2"),
  };
  lossy_->writes = 0;
  const std::vector<Result<Kept>> fates = keep_at_once(all);
  EXPECT_EQ(lossy_->writes, 1);
  std::vector<Kept> known;
  for (const Result<Kept>& fate : fates) known.push_back(fate.value());
  EXPECT_THAT(known,
              ElementsAre(Kept::elsewhere, Kept::kept, Kept::changed, Kept::changed, Kept::kept,
                          Kept::elsewhere, Kept::kept, Kept::elsewhere, Kept::kept));
  EXPECT_EQ(stored(cards[2], "acc_1")->operation, all[1].row.operation);
  EXPECT_EQ(stored(cards[0], "acc_2")->operation, all[4].row.operation);
  EXPECT_EQ(stored(cards[0], "acc_3")->operation, all[6].row.operation);
  EXPECT_EQ(stored(cards[1], "acc_2")->operation, all[8].row.operation);
  EXPECT_EQ(queued(), 1U);  // what was replaced, and nothing else
  const auto due = loop_.run_until_done(processor_tokens_->due(clock_.now, 10));
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ(due->front().id, all[1].replaced->removal.id);
}

TEST_P(KeepTest, OfTwoThatReplaceTheSameOneDoes) {
  const CardRow card = card_of(add_tokens(1, true).front());
  const OperationId stands = stored(card, "acc_1")->operation;
  const std::vector<Keeping> all{keeping(card, "acc_1", stands), keeping(card, "acc_1", stands)};
  const std::vector<Result<Kept>> fates = keep_at_once(all);
  const std::size_t kept = fates[0].value() == Kept::kept ? 0 : 1;
  EXPECT_EQ(fates[kept].value(), Kept::kept);
  EXPECT_EQ(fates[1 - kept].value(), Kept::elsewhere);
  EXPECT_EQ(stored(card, "acc_1")->operation, all[kept].row.operation);
  const auto due = loop_.run_until_done(processor_tokens_->due(clock_.now, 10));
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ(due->front().id, all[kept].replaced->removal.id);
}

TEST_P(KeepTest, OneThatTheDatabaseRefusesSpoilsNoOther) {
  const std::vector<PublicToken> tokens = add_tokens(3, true);
  std::vector<Keeping> all;
  for (const PublicToken& token : tokens) {
    const CardRow card = card_of(token);
    all.push_back(keeping(card, "acc_1", stored(card, "acc_1")->operation));
  }
  ASSERT_TRUE(loop_.run_until_done(processor_tokens_->queue(all[1].replaced->removal)));
  const std::vector<Result<Kept>> fates = keep_at_once(all);
  EXPECT_EQ(fates[0].value(), Kept::kept);
  EXPECT_EQ(fates[1].error().code(), ErrorCode::conflict);
  EXPECT_EQ(fates[2].value(), Kept::kept);
  EXPECT_EQ(stored(card_of(tokens[0]), "acc_1")->operation, all[0].row.operation);
  EXPECT_NE(stored(card_of(tokens[1]), "acc_1")->operation, all[1].row.operation);
  EXPECT_EQ(queued(), 3U);
}

TEST_P(KeepTest, ManyHandOversShareAWriteAndOneErasedUnderwaySpoilsNone) {
  constexpr std::size_t kCards = 12, kErased = 5;
  const std::vector<PublicToken> tokens = add_tokens(kCards, false);
  std::vector<std::optional<Answer<Resolved>>> answers(kCards);
  stored_cards_.paused = true;
  for (std::size_t i = 0; i < kCards; ++i) begin(tokens[i], ask("pay_1"), answers[i]);
  const auto handed_over = [this] { return stored_cards_.bodies.size() == kCards; };
  run_until(handed_over);
  ASSERT_TRUE(erase(tokens[kErased]));
  lossy_->writes = 0;
  stored_cards_.paused = false;
  run_until_all(answers);
  EXPECT_LE(lossy_->writes, 5);  // the removal's among them
  for (std::size_t i = 0; i < kCards; ++i) {
    EXPECT_EQ(answers[i]->has_value(), i != kErased);
    if (i == kErased) continue;
    EXPECT_EQ(given(resolve(tokens[i], ask("pay_2"))).processor_token,
              given(*answers[i]).processor_token);
  }
  EXPECT_EQ(stored_cards_.bodies.size(), kCards);
  EXPECT_EQ(run_removals(), 1U);
  expect_balanced();
}

// The connection is lost while a batch commits: each of it is settled by what stands there later.
TEST_P(KeepTest, ABatchThatMayStillCommitIsSettledCardByCard) {
  constexpr std::size_t kCards = 3;
  const std::vector<PublicToken> tokens = add_tokens(kCards, false);
  std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>> all;
  for (const PublicToken& token : tokens) all.emplace_back(token, ask("pay_1"));
  recorder_.entries.clear();
  lossy_->fates = {LossyDatabase::Fate::held};
  EXPECT_EQ(resolve_at_once(all), 0);
  EXPECT_TRUE(rows("SELECT sealed FROM processor_tokens").empty());
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  wait_until_entries(2 * kCards);
  for (std::size_t i = kCards; i < 2 * kCards; ++i) {
    EXPECT_EQ(recorder_.entries[i].outcome, Outcome::done);
  }
  expect_balanced();
  EXPECT_EQ(queued(), 0U);
  EXPECT_EQ(resolve_at_once(all), 3);
  EXPECT_EQ(stored_cards_.bodies.size(), kCards);
}

INSTANTIATE_TEST_SUITE_P(Databases, KeepTest, ::testing::Values("sqlite", "unix"));

}  // namespace
}  // namespace strongroom::cde

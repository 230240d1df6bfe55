// Whoever guesses the digits between the first and the last ones is stopped, and the count stands
// in the database: for every vaultd on it, and after each of them.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "contract/each_database.h"
#include "contract/vault_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::string_view kCards = "SELECT token_id FROM cards";

class GuessingTest : public OnEachDatabase<VaultTest> {
 protected:
  const std::vector<std::string> numbers_ = alike(3 * kNewCardsMax);

  Answer<TokenView> guess(std::size_t number, Caller who = caller()) {
    return tokenize(request("", "", numbers_[number]), std::move(who));
  }
  void guess_all(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(guess(i));
  }
  // Sends the numbers at once, each `times`; gives how many were refused.
  std::size_t guess_at_once(std::size_t count, std::size_t times = 1) {
    std::size_t left = count * times, refused = 0;
    auto add = [](Vault& vault, TokenRequest body, std::size_t& open,
                  std::size_t& no) -> async::Task<> {
      const auto view = co_await vault.tokenize(std::move(body), caller());
      if (!view && view.error().type == ProblemType::rate_limited) ++no;
      --open;
    };
    for (std::size_t i = 0; i < count * times; ++i) {
      async::spawn(add(*vault_, request("", "", numbers_[i / times]), left, refused));
    }
    auto wait = [](async::Loop& loop, const std::size_t& open) -> async::Task<> {
      while (open > 0) co_await loop.sleep_for(std::chrono::milliseconds(1));
    };
    loop_.run_until_done(wait(loop_, left));
    return refused;
  }
  static bool is_refused(const Answer<TokenView>& view) {
    return !view && view.error().type == ProblemType::rate_limited;
  }
};

TEST_P(GuessingTest, GuessingBetweenKnownDigitsEnds) {
  for (std::size_t i = 0; i < kNewCardsMax; ++i) {
    ASSERT_TRUE(guess(i / 2));  // each twice: counted once
  }
  for (std::size_t i = kNewCardsMax / 2; i < kNewCardsMax; ++i) ASSERT_TRUE(guess(i));
  recorder_.entries.clear();
  clock_.now += kHourUs;
  const auto refused = guess(kNewCardsMax);
  ASSERT_TRUE(is_refused(refused));
  EXPECT_EQ(refused.error().retry_after_s, 23U * 3600);
  const auto denied =
      std::ranges::find(recorder_.entries, EventType::access_denied, &audit::Entry::event_type);
  ASSERT_NE(denied, recorder_.entries.end());
  EXPECT_EQ(denied->outcome, Outcome::denied);
  EXPECT_EQ(denied->bin, "424242");
  EXPECT_EQ(denied->last4, "4242");
  // A card that is there gets the same answer, or that would be the sign.
  const auto there = guess(0);
  ASSERT_TRUE(is_refused(there));
  EXPECT_EQ(there.error().retry_after_s, refused.error().retry_after_s);
  EXPECT_EQ(rows(kCards).size(), kNewCardsMax);
  expect_balanced();
  EXPECT_TRUE(tokenize(request("", "", "5555555555554444")));
  EXPECT_TRUE(guess(0, caller("mer_b")));

  recorder_.refuse(true);
  EXPECT_EQ(guess(0).error().type, ProblemType::audit_unavailable);
}

TEST_P(GuessingTest, DeletingCardsDoesNotBuyMoreGuesses) {
  for (std::size_t i = 0; i < kNewCardsMax; ++i) {
    const auto view = guess(i);
    ASSERT_TRUE(view);
    ASSERT_TRUE(erase(view->token));
  }
  EXPECT_TRUE(is_refused(guess(kNewCardsMax)));
}

TEST_P(GuessingTest, AnotherProcessCountsOn) {
  guess_all(kNewCardsMax - 1);
  // Nothing of the first is left but the database and the HSM.
  const auto first = std::move(vault_);
  const auto first_cards = std::move(cards_);
  open_keys();
  cards_ = std::make_unique<CardStore>(loop_, *lossy_, kNewCardsMax);
  make_vault({});
  EXPECT_TRUE(guess(kNewCardsMax - 1));
  EXPECT_TRUE(is_refused(guess(kNewCardsMax)));
}

TEST_P(GuessingTest, GuessesAtOnceAreCountedAllTheSame) {
  constexpr std::size_t kGuesses = 3 * kNewCardsMax;
  EXPECT_EQ(guess_at_once(kGuesses), kGuesses - kNewCardsMax);
  EXPECT_EQ(rows(kCards).size(), kNewCardsMax);
  expect_balanced();
}

TEST_P(GuessingTest, TheSameCardAtOnceIsOne) {
  EXPECT_EQ(guess_at_once(1, 3 * kNewCardsMax), 0U);
  EXPECT_EQ(rows(kCards).size(), 1U);
  guess_all(kNewCardsMax);
  EXPECT_TRUE(is_refused(guess(kNewCardsMax)));
}

TEST_P(GuessingTest, AFailedInsertIsNoGuess) {
  for (std::size_t i = 0; i < kNewCardsMax + 1; ++i) {
    lossy_->fates = {LossyDatabase::Fate::refused};
    EXPECT_EQ(guess(i).error().type, ProblemType::database_unavailable);
  }
  EXPECT_TRUE(guess(0));
}

TEST_P(GuessingTest, ADayLaterThereIsRoomAgain) {
  guess_all(1);
  clock_.now += kHourUs;
  for (std::size_t i = 1; i < kNewCardsMax; ++i) ASSERT_TRUE(guess(i));
  EXPECT_TRUE(is_refused(guess(kNewCardsMax)));
  clock_.now += 23 * kHourUs;
  EXPECT_EQ(*loop_.run_until_done(cards_->forget_new(clock_.now)), 0U);
  clock_.now += 1'000'000;
  EXPECT_TRUE(guess(kNewCardsMax));  // the first counts no longer, be it forgotten or not
  EXPECT_TRUE(is_refused(guess(kNewCardsMax + 1)));
  EXPECT_EQ(*loop_.run_until_done(cards_->forget_new(clock_.now)), 1U);
  EXPECT_EQ(rows("SELECT token_id FROM new_cards").size(), kNewCardsMax);
  EXPECT_TRUE(is_refused(guess(kNewCardsMax + 1)));
}

INSTANTIATE_TEST_SUITE_P(Databases, GuessingTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde

#include "cde/vault/budgets.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace strongroom::cde {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<Budget, kActs> kLimits{Budget{6, 3}, Budget{60, 60}};

class BudgetsTest : public ::testing::Test {
 protected:
  bool spend(std::string_view merchant = "mer_a", std::string_view identity = "key_1",
             Act act = Act::tokenize) {
    const auto spent = budgets_.spend(act, merchant, identity, now_);
    if (!spent) refusal_ = spent.error();
    return spent.has_value();
  }
  int spend_all(std::string_view merchant, std::string_view identity) {
    int count = 0;
    while (spend(merchant, identity)) ++count;
    return count;
  }

  Budgets budgets_{kLimits};
  Budgets::TimePoint now_ = std::chrono::steady_clock::now();
  Budgets::Refusal refusal_{};
};

TEST_F(BudgetsTest, AnIdentityHasItsOwnAndAllShareTheMerchants) {
  EXPECT_EQ(spend_all("mer_a", "key_1"), 3);
  EXPECT_EQ(refusal_.wait, seconds(20));
  EXPECT_EQ(spend_all("mer_a", "key_2"), 3);
  EXPECT_EQ(spend_all("mer_a", "key_3"), 0);  // the merchant's is spent
  EXPECT_EQ(refusal_.wait, seconds(10));
  EXPECT_EQ(spend_all("mer_b", "key_4"), 3);
}

TEST_F(BudgetsTest, ARefusalSpendsNothing) {
  EXPECT_EQ(spend_all("mer_a", "key_1"), 3);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(spend());
  EXPECT_EQ(spend_all("mer_a", "key_2"), 3);
}

TEST_F(BudgetsTest, WhatIsSpentComesBackOneByOneAndNeverMoreThanAMinutes) {
  EXPECT_EQ(spend_all("mer_a", "key_1"), 3);
  now_ += seconds(20) - milliseconds(1);
  EXPECT_FALSE(spend());
  now_ += milliseconds(1);
  EXPECT_EQ(spend_all("mer_a", "key_1"), 1);
  now_ += std::chrono::hours(24);
  EXPECT_EQ(spend_all("mer_a", "key_1"), 3);
}

TEST_F(BudgetsTest, EachActHasItsOwn) {
  EXPECT_EQ(spend_all("mer_a", "key_1"), 3);
  EXPECT_TRUE(spend("mer_a", "key_1", Act::resolve));
}

TEST_F(BudgetsTest, OneRefusalAMinuteIsToldWithTheirNumber) {
  spend_all("mer_a", "key_1");  // ends with the first refusal
  EXPECT_EQ(refusal_.to_tell, 1U);
  for (int i = 0; i < 9; ++i) {
    EXPECT_FALSE(spend());
    EXPECT_EQ(refusal_.to_tell, 0U);
  }
  now_ += Budgets::kWindow;
  spend_all("mer_a", "key_1");
  EXPECT_EQ(refusal_.to_tell, 10U);
}

TEST_F(BudgetsTest, HoldersBeyondTheRoomShareABudgetUntilSomeOweNothing) {
  for (std::size_t i = 0; i < Budgets::kHoldersMax; ++i) {
    ASSERT_TRUE(spend("mer_" + std::to_string(i), "key_" + std::to_string(i)));
  }
  EXPECT_EQ(spend_all("mer_x", "key_x"), 3);
  EXPECT_EQ(spend_all("mer_y", "key_y"), 0);
  now_ += std::chrono::minutes(2);
  EXPECT_EQ(spend_all("mer_y", "key_y"), 3);
}

TEST_F(BudgetsTest, ThreadsSpendNoMoreThanThereIs) {
  constexpr int kEach = 40;
  std::vector<std::thread> threads;
  std::atomic<int> spent = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) {
        if (budgets_.spend(Act::resolve, "mer_a", "key_1", now_)) ++spent;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spent, 60);
}

}  // namespace
}  // namespace strongroom::cde

// What the guard counts, what it forgets, and that it errs on one side only.
#include "cde/vault/probe_guard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace strongroom::cde {
namespace {

constexpr ProbeGuard::TimePoint kStart{std::chrono::hours(1)};
constexpr Truncation kVisa{"mer_a", "424242", "4242"};

Fingerprint card(std::size_t number) {
  Fingerprint print{};
  std::memcpy(print.data(), &number, sizeof number);
  return print;
}

class ProbeGuardTest : public testing::Test {
 protected:
  // Adds a new card; true when it may be added.
  bool add(std::size_t number, const Truncation& truncation = kVisa,
           ProbeGuard::TimePoint now = kStart) {
    auto place = guard_.enter(truncation, card(number), now);
    if (place) place->keep();
    return place.has_value();
  }

  crypto::SystemRandom random_;
  ProbeGuard guard_{random_, 3};
};

TEST_F(ProbeGuardTest, LetsTheLimitInAndNoMore) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(add(i));
  const auto refused = guard_.enter(kVisa, card(3), kStart + std::chrono::minutes(20));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), std::chrono::minutes(40));
}

TEST_F(ProbeGuardTest, CountsEachMerchantAndTruncationByItself) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(add(i));
  EXPECT_TRUE(add(3, {"mer_b", "424242", "4242"}));
  EXPECT_TRUE(add(4, {"mer_a", "424243", "4242"}));
  EXPECT_TRUE(add(5, {"mer_a", "424242", "4243"}));
  EXPECT_TRUE(add(6, {"mer_a4", "24242", "4242"}));  // the same characters, other fields
  EXPECT_FALSE(add(7));
}

TEST_F(ProbeGuardTest, ForgetsWhenTheHourIsOver) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(add(i));
  EXPECT_FALSE(add(3, kVisa, kStart + ProbeGuard::kWindow - std::chrono::seconds(1)));
  EXPECT_TRUE(add(3, kVisa, kStart + ProbeGuard::kWindow));
}

TEST_F(ProbeGuardTest, ACardThatWasThereIsNotCounted) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(guard_.enter(kVisa, card(0), kStart));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(add(i));
}

TEST_F(ProbeGuardTest, WhatIsUnderWayIsCountedOncePerCard) {
  std::vector<ProbeGuard::Place> under_way;
  for (std::size_t i = 0; i < 30; ++i) {
    auto place = guard_.enter(kVisa, card(i % 3), kStart);
    ASSERT_TRUE(place);
    under_way.push_back(*std::move(place));
  }
  EXPECT_FALSE(add(3));
  under_way[0].keep();
  under_way.clear();
  EXPECT_TRUE(add(3));
  EXPECT_TRUE(add(4));
  EXPECT_FALSE(add(5));
}

TEST_F(ProbeGuardTest, WhatIsUnderWayIsCountedInTheNextHourToo) {
  {
    const auto place = guard_.enter(kVisa, card(0), kStart);
    ASSERT_TRUE(place);
    EXPECT_TRUE(add(1, kVisa, kStart + ProbeGuard::kWindow));
    EXPECT_TRUE(add(2, kVisa, kStart + ProbeGuard::kWindow));
    EXPECT_FALSE(add(3, kVisa, kStart + ProbeGuard::kWindow));
  }
  EXPECT_TRUE(add(3, kVisa, kStart + ProbeGuard::kWindow));
}

TEST_F(ProbeGuardTest, AmongManyOthersItNeverCountsLess) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 200'000; ++i) {
    const std::string merchant = "mer_" + std::to_string(i);
    if (!add(i, {merchant, "424242", "4242"})) ++refused;
  }
  EXPECT_LT(refused, 200U);  // over-counts are rare
  std::size_t added = 0;
  for (std::size_t i = 0; i < 10; ++i) added += add(1'000'000 + i) ? 1 : 0;
  EXPECT_LE(added, 3U);
}

}  // namespace
}  // namespace strongroom::cde

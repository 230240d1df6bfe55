// Quotas.
#include "auditd/quotas.h"

#include <gtest/gtest.h>

namespace strongroom::auditd {
namespace {

using namespace std::chrono_literals;

constexpr Quotas::Time kStart{};
constexpr QuotaLimit kLimit{.at_once = 600, .per_minute = 600};

TEST(QuotasTest, TakesWhatIsLeftAtOnceAndNoMore) {
  Quotas quotas(kLimit);
  EXPECT_TRUE(quotas.take("gatewayd", 600, kStart));
  EXPECT_FALSE(quotas.take("gatewayd", 1, kStart));
}

TEST(QuotasTest, GivesBackWithTimeAndSavesNothingUp) {
  Quotas quotas(kLimit);
  EXPECT_TRUE(quotas.take("gatewayd", 600, kStart));
  EXPECT_FALSE(quotas.take("gatewayd", 101, kStart + 10s));
  EXPECT_TRUE(quotas.take("gatewayd", 100, kStart + 10s));
  EXPECT_TRUE(quotas.take("gatewayd", 600, kStart + 1h));
  EXPECT_FALSE(quotas.take("gatewayd", 1, kStart + 1h));
}

TEST(QuotasTest, GivesBackAtItsRateWhateverMayBeUsedAtOnce) {
  Quotas quotas({.at_once = 1'000, .per_minute = 60});
  EXPECT_TRUE(quotas.take("authd", 1'000, kStart));
  EXPECT_FALSE(quotas.take("authd", 2, kStart + 1s));
  EXPECT_TRUE(quotas.take("authd", 1, kStart + 1s));
}

TEST(QuotasTest, KeepsOneWriterFromUsingAnothersQuota) {
  Quotas quotas(kLimit);
  EXPECT_TRUE(quotas.take("gatewayd", 600, kStart));
  EXPECT_TRUE(quotas.take("vaultd", 600, kStart));
}

TEST(QuotasTest, TakesAnotherLimitOverAndKeepsWhatWasUsed) {
  Quotas quotas(kLimit);
  EXPECT_TRUE(quotas.take("vaultd", 600, kStart));
  quotas.set_limit({.at_once = 1'200, .per_minute = 600});
  EXPECT_TRUE(quotas.take("vaultd", 600, kStart));
  EXPECT_FALSE(quotas.take("vaultd", 1, kStart));
}

TEST(QuotasTest, TellsWhoWasTurnedAwayAndWhenItIsOver) {
  Quotas quotas(kLimit);
  EXPECT_FALSE(quotas.take("gatewayd", 601, kStart + 10s));
  EXPECT_TRUE(quotas.take("vaultd", 600, kStart + 10s));
  using Told = std::map<std::string, bool>;
  EXPECT_EQ(quotas.turned_away(kStart), (Told{{"gatewayd", true}}));
  EXPECT_EQ(quotas.turned_away(kStart + 11s), (Told{{"gatewayd", false}}));
  EXPECT_EQ(quotas.turned_away(kStart + 12s), Told{});
}

TEST(QuotasTest, RefusesWhatIsLargerThanTheQuotaForEver) {
  Quotas quotas(kLimit);
  EXPECT_FALSE(quotas.take("gatewayd", 601, kStart + 24h));
}

}  // namespace
}  // namespace strongroom::auditd

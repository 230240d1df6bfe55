// How long a verification code is held, and when none is taken.
#include "cde/vault/cvc_holder.h"

#include <gtest/gtest.h>

#include <cstring>

namespace strongroom::cde {
namespace {

constexpr CvcHolder::TimePoint kStart{std::chrono::hours(1)};
constexpr std::chrono::seconds kSecond{1};

TEST(CvcHolderTest, ForgetsAfterTenMinutes) {
  CvcHolder codes;
  ASSERT_TRUE(codes.hold(TokenId{}, *Cvc::parse("123"), kStart, kStart));
  codes.sweep(kStart + CvcHolder::kHoldMax - kSecond);
  EXPECT_EQ(codes.count(), 1U);
  codes.sweep(kStart + CvcHolder::kHoldMax);
  EXPECT_EQ(codes.count(), 0U);
}

TEST(CvcHolderTest, NamesItsTokensPageByPage) {
  CvcHolder codes;
  for (std::uint8_t i = 1; i <= 5; ++i) {
    TokenId token{};
    token.bytes[0] = std::byte{i};
    ASSERT_TRUE(codes.hold(token, *Cvc::parse("123"), kStart, kStart));
  }
  const auto first = codes.tokens(TokenId{}, 3);
  ASSERT_EQ(first.size(), 3U);
  EXPECT_EQ(first[2].bytes[0], std::byte{3});
  EXPECT_EQ(codes.tokens(first[2], 3).size(), 2U);
}

TEST(CvcHolderTest, TakesNothingForATokenThatWasDroppedMeanwhile) {
  CvcHolder codes;
  codes.drop(TokenId{}, kStart + kSecond);
  const auto late = codes.hold(TokenId{}, *Cvc::parse("123"), kStart, kStart + 2 * kSecond);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::gone);
  EXPECT_EQ(codes.count(), 0U);
  EXPECT_TRUE(
      codes.hold(TokenId{}, *Cvc::parse("123"), kStart + 2 * kSecond, kStart + 2 * kSecond));
}

TEST(CvcHolderTest, TakesNothingOnceDropsAreForgotten) {
  CvcHolder codes;
  codes.drop(TokenId{}, kStart + kSecond);
  codes.sweep(kStart + kSecond + CvcHolder::kDropsKnown);
  EXPECT_FALSE(codes.hold(TokenId{}, *Cvc::parse("123"), kStart, kStart + 2 * kSecond));
}

TEST(CvcHolderTest, RemembersABoundedNumberOfDrops) {
  CvcHolder codes;
  for (std::size_t i = 0; i <= CvcHolder::kDropsMax; ++i) {
    TokenId other{};
    std::memcpy(other.bytes.data(), &i, sizeof i);
    codes.drop(other, kStart + kSecond);
  }
  TokenId unknown{};
  unknown.bytes.fill(std::byte{0xff});
  EXPECT_FALSE(codes.hold(unknown, *Cvc::parse("123"), kStart, kStart + kSecond));
  EXPECT_TRUE(codes.hold(unknown, *Cvc::parse("123"), kStart + 2 * kSecond, kStart + 2 * kSecond));
}

}  // namespace
}  // namespace strongroom::cde

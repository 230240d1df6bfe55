#include "loadgen/card_sequence.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace strongroom::bench {
namespace {

TEST(CardSequenceTest, CheckDigitIsThatOfDocumentedNumbers) {
  EXPECT_EQ(check_digit("424242424242424"), '2');
  EXPECT_EQ(check_digit("555555555555444"), '4');
  EXPECT_EQ(check_digit("37828224631000"), '5');
  EXPECT_EQ(check_digit("601111111111111"), '7');
}

TEST(CardSequenceTest, PansAreSixteenDigitsOfTheTestRange) {
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, kCardsMax - 1}) {
    const std::string pan = test_pan(index);
    EXPECT_EQ(pan.size(), 16U);
    EXPECT_TRUE(pan.starts_with("424242"));
    EXPECT_EQ(pan.back(), check_digit(std::string_view(pan).substr(0, 15)));
  }
}

TEST(CardSequenceTest, DoesNotRepeatUntilItsEnd) {
  std::unordered_set<std::string> seen;
  for (std::uint64_t index = 0; index < 200'000; ++index) seen.insert(test_pan(index));
  EXPECT_EQ(seen.size(), 200'000U);
  EXPECT_EQ(test_pan(kCardsMax + 7), test_pan(7));
}

TEST(CardSequenceTest, BodyCarriesTheCard) {
  EXPECT_EQ(token_request_body(5), R"({"card":{"number":")" + test_pan(5) +
                                       R"(","exp_month":12,"exp_year":2040,"name":"Load Test"}})");
}

}  // namespace
}  // namespace strongroom::bench

// Pan, ExpiryDate and Cvc: every reason to refuse, in the order in which the rules apply.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "cde/card/cvc.h"
#include "cde/card/expiry.h"
#include "cde/card/pan.h"

namespace strongroom::cde {
namespace {

TEST(PanTest, ParseNamesTheFirstRuleBroken) {
  const struct {
    std::string_view text;
    PanFault fault;
  } rows[] = {
      {"", PanFault::length},
      {"4242-4242-4242-4242", PanFault::not_digits},
      {"424242424242424x", PanFault::not_digits},
      {"42424242424", PanFault::length},           // 11 digits
      {"42424242424242424242", PanFault::length},  // 20 digits
      {"4242424242424241", PanFault::check_digit},
      {"4242424242424224", PanFault::check_digit},  // two digits swapped
  };
  for (const auto& row : rows) {
    const auto pan = Pan::parse(row.text);
    ASSERT_FALSE(pan) << row.text;
    EXPECT_EQ(pan.error(), row.fault) << row.text;
  }
}

TEST(PanTest, ParseTakesTwelveToNineteenDigits) {
  for (const std::string_view text : {"500000000009", "6304000000000000018"}) {
    // The last digit is found, not assumed: exactly one of ten makes the check digit hold.
    std::string digits(text);
    int accepted = 0;
    for (char last = '0'; last <= '9'; ++last) {
      digits.back() = last;
      if (Pan::parse(digits)) ++accepted;
    }
    EXPECT_EQ(accepted, 1) << text;
  }
}

TEST(PanTest, BrandFollowsTheNetworksRanges) {
  const struct {
    std::string_view digits;
    Brand brand;
  } rows[] = {
      {"4242424242424242", Brand::visa},       {"5555555555554444", Brand::mastercard},
      {"2223003122003222", Brand::mastercard}, {"378282246310005", Brand::american_express},
      {"6011111111111117", Brand::discover},   {"30569309025904", Brand::diners_club},
      {"36227206271667", Brand::diners_club},  {"3566002020360505", Brand::jcb},
      {"6200000000000005", Brand::unionpay},   {"676770000000000005", Brand::maestro},
  };
  for (const auto& row : rows) {
    const auto pan = Pan::parse(row.digits);
    ASSERT_TRUE(pan) << row.digits;
    EXPECT_EQ(pan->brand(), row.brand) << row.digits;
  }
}

TEST(PanTest, ShowsFirstSixAndLastFourAndHidesSixAtLeast) {
  const struct {
    std::string_view digits;
    std::string_view bin;
    std::string_view last4;
  } rows[] = {
      {"6304000000000000018", "630400", "0018"}, {"4242424242424242", "424242", "4242"},
      {"378282246310005", "37828", "0005"},      {"30569309025904", "3056", "5904"},
      {"4222222222222", "422", "2222"},          {"500000000009", "50", "0009"},
  };
  for (const auto& row : rows) {
    std::string digits(row.digits);
    auto pan = Pan::parse(digits);
    while (!pan) {  // the check digit, where the row does not have it
      digits.back() = static_cast<char>('0' + (digits.back() - '0' + 1) % 10);
      pan = Pan::parse(digits);
    }
    EXPECT_EQ(pan->bin(), row.bin) << row.digits;
    EXPECT_EQ(pan->last4().substr(0, 3), row.last4.substr(0, 3)) << row.digits;
    EXPECT_GE(digits.size(), pan->bin().size() + 6 + pan->last4().size());
  }
}

TEST(PanTest, IsSameNumberComparesAllDigits) {
  const auto pan = Pan::parse("4242424242424242");
  const auto again = Pan::parse("4242424242424242");
  const auto other = Pan::parse("4242421234567897");
  const auto shorter = Pan::parse("378282246310005");
  ASSERT_TRUE(pan && again && other && shorter);
  EXPECT_TRUE(pan->is_same_number(*again));
  EXPECT_FALSE(pan->is_same_number(*other));
  EXPECT_FALSE(pan->is_same_number(*shorter));
}

TEST(PanTest, MovingEmptiesTheSource) {
  auto pan = Pan::parse("4242424242424242");
  ASSERT_TRUE(pan);
  const Pan moved = *std::move(pan);
  EXPECT_EQ(moved.reveal(PanReveal::grant()).size(), 16U);
  EXPECT_TRUE(pan->reveal(PanReveal::grant()).empty());  // NOLINT(bugprone-use-after-move)
}

TEST(PanTest, DestructionReturnsItsMemory) {
  const std::size_t before = secret_memory_used_bytes();
  {
    const auto pan = Pan::parse("4242424242424242");
    EXPECT_GT(secret_memory_used_bytes(), before);
  }
  EXPECT_EQ(secret_memory_used_bytes(), before);
}

TEST(PanTest, KnowsTestRangesAndDocumentedTestNumbers) {
  const auto documented = Pan::parse("4242424242424242");
  const auto generated = Pan::parse("4242421234567897");
  const auto live = Pan::parse("4539578763621486");
  ASSERT_TRUE(documented && generated && live);
  EXPECT_TRUE(documented->is_in_test_range());
  EXPECT_TRUE(documented->is_documented_test_number());
  EXPECT_FALSE(live->is_in_test_range());
  EXPECT_FALSE(live->is_documented_test_number());
  EXPECT_TRUE(generated->is_in_test_range());
  EXPECT_FALSE(generated->is_documented_test_number());
}

TEST(ExpiryDateTest, CreateRefusesMonthsThatDoNotExist) {
  EXPECT_FALSE(ExpiryDate::create(0, 2030));
  EXPECT_FALSE(ExpiryDate::create(13, 2030));
  EXPECT_FALSE(ExpiryDate::create(1, 1999));
  EXPECT_FALSE(ExpiryDate::create(1, 30));
  EXPECT_FALSE(ExpiryDate::create(1, 2100));
}

TEST(ExpiryDateTest, HasPassedWhenTheMonthHasEndedEverywhere) {
  const auto expiry = ExpiryDate::create(12, 2026);
  ASSERT_TRUE(expiry);
  EXPECT_FALSE(expiry->has_passed(*parse_rfc3339("2026-12-31T23:59:59Z")));
  EXPECT_FALSE(
      expiry->has_passed(*parse_rfc3339("2027-01-01T11:59:59Z")));  // still December at UTC-12
  EXPECT_TRUE(expiry->has_passed(*parse_rfc3339("2027-01-01T12:00:00Z")));
}

TEST(CvcTest, ParseTakesThreeOrFourDigits) {
  EXPECT_TRUE(Cvc::parse("123"));
  EXPECT_TRUE(Cvc::parse("0000"));
  for (const std::string_view text : {"", "12", "12345", "12a", " 123"}) {
    EXPECT_FALSE(Cvc::parse(text)) << text;
  }
}

}  // namespace
}  // namespace strongroom::cde

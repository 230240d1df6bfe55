#include "payments/money.h"

#include <gtest/gtest.h>

#include <string>

namespace strongroom::payments {
namespace {

TEST(CurrencyTest, ParseKnowsTheExponent) {
  const struct {
    const char* code;
    int exponent;
  } rows[] = {{"USD", 2}, {"EUR", 2}, {"GBP", 2}, {"AED", 2}, {"ZWG", 2}, {"XCG", 2},
              {"JPY", 0}, {"KRW", 0}, {"BIF", 0}, {"XPF", 0}, {"UGX", 0}, {"ISK", 0},
              {"KWD", 3}, {"BHD", 3}, {"TND", 3}, {"CLF", 4}, {"UYW", 4}};
  for (const auto& row : rows) {
    const auto currency = Currency::parse(row.code);
    ASSERT_TRUE(currency) << row.code;
    EXPECT_EQ(currency->code(), row.code);
    EXPECT_EQ(currency->exponent(), row.exponent) << row.code;
  }
}

TEST(CurrencyTest, ParseRefusesWhatIsNotMoney) {
  for (const char* code : {"", "US", "USDX", "usd", "Usd", "XTS", "XAU", "XDR", "DEM", "HRK", "BGN",
                           "D A", " AE", "ED ", "D AF", "US\n"}) {
    const auto currency = Currency::parse(code);
    ASSERT_FALSE(currency) << code;
    EXPECT_EQ(currency.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(CurrencyTest, ParseFindsEveryActiveCodeOnce) {
  int found = 0;
  std::string code = "AAA";
  for (code[0] = 'A'; code[0] <= 'Z'; ++code[0]) {
    for (code[1] = 'A'; code[1] <= 'Z'; ++code[1]) {
      for (code[2] = 'A'; code[2] <= 'Z'; ++code[2]) found += Currency::parse(code) ? 1 : 0;
    }
  }
  EXPECT_EQ(found, 165);
}

TEST(CurrencyTest, EqualByCode) {
  EXPECT_EQ(*Currency::parse("USD"), *Currency::parse("USD"));
  EXPECT_FALSE(*Currency::parse("USD") == *Currency::parse("UAH"));
  EXPECT_EQ((Money{1099, *Currency::parse("USD")}), (Money{1099, *Currency::parse("USD")}));
}

}  // namespace
}  // namespace strongroom::payments

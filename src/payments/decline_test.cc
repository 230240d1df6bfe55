#include "payments/decline.h"

#include <gtest/gtest.h>

#include <string>

#include "payments/operation.h"

namespace strongroom::payments {
namespace {

TEST(DeclineTest, NamesReadBackAndOthersAreUnknown) {
  for (int i = 0; i <= static_cast<int>(DeclineClass::processor_error); ++i) {
    const auto decline_class = static_cast<DeclineClass>(i);
    EXPECT_EQ(parse_decline_class(name(decline_class)), decline_class);
  }
  EXPECT_EQ(name(DeclineClass::verification_mismatch), "verification_mismatch");
  EXPECT_FALSE(parse_decline_class("approved"));
  EXPECT_FALSE(parse_decline_class(""));
}

TEST(DeclineTest, CodeTakesAWordAndNoCardData) {
  EXPECT_TRUE(is_decline_code("insufficient_funds"));
  EXPECT_TRUE(is_decline_code("D2020"));
  EXPECT_TRUE(is_decline_code(std::string(kDeclineCodeBytesMax, 'a')));
  EXPECT_FALSE(is_decline_code(std::string(kDeclineCodeBytesMax + 1, 'a')));
  EXPECT_FALSE(is_decline_code(""));
  EXPECT_FALSE(is_decline_code("do not honor"));
  EXPECT_FALSE(is_decline_code("a\"b"));
  EXPECT_FALSE(is_decline_code("4242424242424242"));
}

TEST(OperationTest, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(Operation::refund); ++i) {
    EXPECT_EQ(parse_operation(name(static_cast<Operation>(i))), static_cast<Operation>(i));
  }
  for (int i = 0; i <= static_cast<int>(OperationOutcome::unknown); ++i) {
    const auto outcome = static_cast<OperationOutcome>(i);
    EXPECT_EQ(parse_operation_outcome(name(outcome)), outcome);
  }
  EXPECT_EQ(name(Operation::void_), "void");
  EXPECT_FALSE(parse_operation("Sale"));
  EXPECT_FALSE(parse_operation_outcome("ok"));
}

}  // namespace
}  // namespace strongroom::payments

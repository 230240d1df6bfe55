#include "base/sensitive_member.h"

#include <gtest/gtest.h>

namespace strongroom {
namespace {

TEST(SensitiveMemberTest, NamesHaveNoCaseAndNoSeparators) {
  for (const char* key :
       {"cvc", "CVV2", "c-v_c.2", "PIN", "pin block", "Track-1", "Security Code"}) {
    EXPECT_TRUE(is_sensitive_member(key, "")) << key;
  }
  for (const char* key : {"", "cv", "cvc3", "pins", "spin", "tracking", "card"}) {
    EXPECT_FALSE(is_sensitive_member(key, "123")) << key;
  }
}

TEST(SensitiveMemberTest, TheValueTellsWhatACidIs) {
  EXPECT_TRUE(is_sensitive_member("cid", "1234"));
  EXPECT_TRUE(is_sensitive_member("CID", " 123 "));
  EXPECT_FALSE(is_sensitive_member("cid", "12345"));
  EXPECT_FALSE(is_sensitive_member("cid", "c-123"));
}

}  // namespace
}  // namespace strongroom

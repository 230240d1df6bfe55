#include "crypto/mac.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

TEST(MacTest, HmacGivesTheRfcsValues) {  // RFC 4231 sections 4.3 and 4.7
  EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string long_key(131, '\xaa');
  EXPECT_EQ(hex(hmac_sha256(as_bytes(long_key),
                            as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(MacTest, HmacTakesAnEmptyKeyAndMessage) {
  EXPECT_EQ(hex(hmac_sha256({}, {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(MacTest, HmacDependsOnKeyAndMessage) {
  const HmacTag tag = hmac_sha256(as_bytes("key"), as_bytes("message"));
  EXPECT_EQ(hmac_sha256(as_bytes("key"), as_bytes("message")), tag);
  EXPECT_NE(hmac_sha256(as_bytes("kez"), as_bytes("message")), tag);
  EXPECT_NE(hmac_sha256(as_bytes("key"), as_bytes("messagf")), tag);
}

}  // namespace
}  // namespace strongroom::crypto

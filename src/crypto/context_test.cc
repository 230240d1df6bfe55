#include "crypto/context.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

std::string text_of(const Context& context) { return hex(context.bytes()); }

TEST(ContextTest, FieldsAreLengthPrefixed) {
  EXPECT_EQ(text_of(Context("ab")), "000000026162");
  EXPECT_EQ(text_of(Context("ab").add("").add("c")),
            "000000026162"
            "00000000"
            "0000000163");
  EXPECT_EQ(text_of(Context("").add(std::uint32_t{0x01020304})),
            "00000000"
            "0000000401020304");
  EXPECT_EQ(text_of(Context("").add(std::uint64_t{0x0102030405060708})),
            "00000000"
            "000000080102030405060708");
}

TEST(ContextTest, DifferentFieldsGiveDifferentBytes) {
  EXPECT_NE(text_of(Context("l").add("ab").add("c")), text_of(Context("l").add("a").add("bc")));
  EXPECT_NE(text_of(Context("l").add("ab")), text_of(Context("l").add("ab").add("")));
  EXPECT_NE(text_of(Context("la").add("b")), text_of(Context("l").add("ab")));
}

TEST(ContextTest, SecretFieldIsTheLastOne) {
  Context context("l");
  context.add("a");
  const auto joined = context.with_secret(as_bytes("secret"));
  ASSERT_TRUE(joined);
  EXPECT_EQ(hex(joined->reveal()), text_of(Context("l").add("a").add("secret")));
  EXPECT_EQ(text_of(context), text_of(Context("l").add("a")));
}

TEST(ContextTest, SecretFieldIsBounded) {
  const std::string large(SecretBytes::kSizeMax, 'x');
  EXPECT_EQ(Context("l").with_secret(as_bytes(large)).error().code(), ErrorCode::too_large);
}

}  // namespace
}  // namespace strongroom::crypto

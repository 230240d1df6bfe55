#include "storage/value.h"

#include <gtest/gtest.h>

#include "crypto/aead.h"
#include "storage/answer.h"

namespace strongroom::storage {
namespace {

std::array<std::byte, 32> some_digest() {
  std::array<std::byte, 32> digest{};
  digest[0] = std::byte{0xff};
  return digest;
}

TEST(ValueTest, ReadersGiveWhatWentIn) {
  EXPECT_TRUE(Value::null().is_null());
  EXPECT_EQ(Value::integer(-5).integer(), -5);
  const Value text = Value::text("caf\u00e9");
  EXPECT_EQ(text.text(), std::string_view("caf\u00e9"));
  const TokenId id{.bytes = {std::byte{1}}};
  EXPECT_EQ(Value::id(id).id<TokenIdTag>(), id);
  EXPECT_EQ(Value::digest(some_digest()).digest<32>(), some_digest());
}

TEST(ValueTest, SealedBlobIsCheckedWhenRead) {
  const std::array<std::byte, 12> nonce{};
  const std::array<std::byte, 20> ciphertext{};
  const auto sealed = crypto::Sealed::from_parts(9, nonce, ciphertext);
  ASSERT_TRUE(sealed.has_value());
  const Value value = Value::sealed(*sealed);
  EXPECT_EQ(value.sealed(), *sealed);
  EXPECT_EQ(value.bytes()->size(), sealed->bytes().size());
  EXPECT_EQ(Value::digest(some_digest()).sealed().error().code(), ErrorCode::corrupt);
}

TEST(ValueTest, ReadersRefuseAnotherKind) {
  const Value kinds[] = {Value::null(), Value::integer(1), Value::text("1"),
                         Value::digest(some_digest())};
  for (std::size_t kind = 0; kind < std::size(kinds); ++kind) {
    const Value& value = kinds[kind];
    EXPECT_EQ(value.integer().has_value(), kind == 1);
    EXPECT_EQ(value.text().has_value(), kind == 2);
    EXPECT_EQ(value.bytes().has_value(), kind == 3);
    EXPECT_FALSE(value.id<TokenIdTag>().has_value());  // 32 bytes are no id
    EXPECT_FALSE(value.digest<64>().has_value());
    EXPECT_FALSE(value.sealed().has_value());
  }
  EXPECT_EQ(Value::null().integer().error().code(), ErrorCode::corrupt);
}

TEST(ValueTest, StoredBytesMayBeEmpty) {
  const Value empty = StoredBytes::value({});
  EXPECT_FALSE(empty.is_null());
  EXPECT_TRUE(empty.bytes()->empty());
}

}  // namespace
}  // namespace strongroom::storage

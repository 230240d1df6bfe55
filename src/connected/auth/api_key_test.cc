#include "connected/auth/api_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "connected/auth/role.h"

namespace strongroom::connected::auth {
namespace {

std::string text_of(const NewKeyText& key) { return std::string(as_text(key.text.reveal())); }

TEST(ApiKeyTest, MakeGivesTextPrefixAndHash) {
  crypto::SystemRandom random;
  const auto key = make_key_text(random, Profile::demo);
  ASSERT_TRUE(key);
  const std::string text = text_of(*key);
  EXPECT_EQ(text.size(), 60u);
  EXPECT_TRUE(text.starts_with("sk_test_"));
  EXPECT_EQ(key->prefix, text.substr(0, 12));
  EXPECT_EQ(key->hash, crypto::sha256(as_bytes(text)));
}

TEST(ApiKeyTest, MakeNeverRepeats) {
  crypto::SystemRandom random;
  const auto first = make_key_text(random, Profile::demo);
  const auto second = make_key_text(random, Profile::demo);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->hash, second->hash);
}

// Gives bytes whose base32 is 4242424242424242 and more, once; zeros after that.
class CardLikeRandom final : public crypto::Random {
 public:
  void fill(std::span<std::byte> out) override {
    std::ranges::fill(out, std::byte{0});
    if (std::exchange(given_, true)) return;
    static constexpr unsigned char kCardLike[] = {0xe6, 0xb9, 0xae, 0x6b, 0x9a,
                                                  0xe6, 0xb9, 0xae, 0x6b, 0x9a};
    std::ranges::copy(std::as_bytes(std::span(kCardLike)), out.begin());
  }

 private:
  bool given_ = false;
};

TEST(ApiKeyTest, WhatLooksLikeACardNumberIsDrawnAgain) {
  CardLikeRandom for_key;
  const auto key = make_key_text(for_key, Profile::demo);
  ASSERT_TRUE(key);
  EXPECT_EQ(text_of(*key), "sk_test_" + std::string(52, 'a'));
  CardLikeRandom for_id;
  EXPECT_EQ(make_public_id("key_", for_id), "key_" + std::string(26, 'a'));
}

TEST(ApiKeyTest, HashAcceptsOwnKeys) {
  crypto::SystemRandom random;
  for (const Profile profile : {Profile::demo, Profile::production}) {
    const auto key = make_key_text(random, profile);
    ASSERT_TRUE(key);
    const auto hash = hash_key_text(text_of(*key), profile);
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, key->hash);
  }
}

TEST(ApiKeyTest, HashRefusesOtherForms) {
  const std::string secret(52, 'a');
  for (const std::string& text :
       {std::string(), std::string("sk_test_"), "sk_live_" + secret, "sk_test_" + secret + "a",
        "sk_test_" + secret.substr(1), "SK_TEST_" + secret, "sk_test_" + secret.substr(1) + "1",
        "sk_test_" + secret.substr(1) + "A", " sk_test_" + secret}) {
    const auto hash = hash_key_text(text, Profile::demo);
    ASSERT_FALSE(hash) << text;
    EXPECT_EQ(hash.error().code(), ErrorCode::permission_denied);
  }
  EXPECT_TRUE(hash_key_text("sk_live_" + secret, Profile::production));
  EXPECT_FALSE(hash_key_text("sk_test_" + secret, Profile::production));
}

TEST(ApiKeyTest, BearerTakesTheSchemeInAnyCase) {
  EXPECT_EQ(bearer_key("Bearer sk_test_x"), "sk_test_x");
  EXPECT_EQ(bearer_key("bEARER sk_test_x"), "sk_test_x");
  for (const char* field : {"", "Bearer", "Bearer ", "Basic sk_test_x", "sk_test_x", "Bearer\tx"}) {
    EXPECT_EQ(bearer_key(field), "") << field;
  }
}

TEST(ApiKeyTest, PublicIdsAreRecognizedByTheirPrefix) {
  crypto::SystemRandom random;
  const std::string id = make_public_id(kMerchantPrefix, random);
  EXPECT_EQ(id.size(), 30u);
  EXPECT_TRUE(is_public_id(id, kMerchantPrefix));
  EXPECT_FALSE(is_public_id(id, kKeyIdPrefix));
  EXPECT_FALSE(is_public_id(id + "a", kMerchantPrefix));
  EXPECT_FALSE(is_public_id("mer_" + std::string(26, '0'), kMerchantPrefix));
}

TEST(RoleTest, NamesRoundTripAndReadersCannotWrite) {
  for (const Role role : {Role::merchant_admin, Role::merchant_user, Role::tokenizer}) {
    EXPECT_EQ(parse_role(name(role)), role);
  }
  EXPECT_FALSE(parse_role("platform_admin"));
  EXPECT_FALSE(parse_role(""));
  for (const std::string_view scope : scopes(Role::merchant_user)) {
    EXPECT_TRUE(scope.ends_with(":read")) << scope;
  }
  ASSERT_EQ(scopes(Role::tokenizer).size(), 1u);
  EXPECT_EQ(scopes(Role::tokenizer).front(), "tokens:write");
}

}  // namespace
}  // namespace strongroom::connected::auth

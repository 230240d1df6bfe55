#include "crypto/signer.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <string_view>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

SecretBytes seed_of(std::string_view text) {
  SecretBytes seed = *SecretBytes::allocate(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, seed.reveal()));
  return seed;
}

// RFC 8032 section 7.1, test 2.
constexpr std::string_view kSeed =
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
constexpr std::string_view kPublic =
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
constexpr std::string_view kSignature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

TEST(SignerTest, SignsAsTheRfcDoes) {
  const auto signer = Ed25519Signer::from_seed(seed_of(kSeed));
  ASSERT_TRUE(signer);
  EXPECT_EQ(hex(signer->public_key()), kPublic);
  EXPECT_EQ(hex(signer->sign(as_bytes("r"))), kSignature);
}

TEST(SignerTest, FromSeedRefusesOtherSizes) {
  for (const std::size_t size : {0u, 31u, 33u, 64u}) {
    const auto signer = Ed25519Signer::from_seed(*SecretBytes::allocate(size));
    ASSERT_FALSE(signer) << size;
    EXPECT_EQ(signer.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(SignerTest, GenerateMakesDifferentKeys) {
  SystemRandom random;
  const auto first = Ed25519Signer::generate(random);
  const auto second = Ed25519Signer::generate(random);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->public_key(), second->public_key());
}

TEST(SignerTest, VerifierTakesOwnSignaturesOnly) {
  SystemRandom random;
  const auto signer = Ed25519Signer::generate(random);
  const auto other = Ed25519Signer::generate(random);
  ASSERT_TRUE(signer && other);
  const auto verifier = Ed25519Verifier::create(signer->public_key());
  ASSERT_TRUE(verifier);
  const Ed25519Signature good = signer->sign(as_bytes("message"));
  EXPECT_TRUE(verifier->verify(as_bytes("message"), good));
  EXPECT_FALSE(verifier->verify(as_bytes("messagf"), good));
  EXPECT_FALSE(verifier->verify(as_bytes("message"), other->sign(as_bytes("message"))));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Ed25519Signature bad = good;
    bad[i] ^= std::byte{1};
    EXPECT_FALSE(verifier->verify(as_bytes("message"), bad)) << i;
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(SignerTest, VerifyRefusesOtherSizes) {
  SystemRandom random;
  const auto signer = Ed25519Signer::generate(random);
  ASSERT_TRUE(signer);
  const Ed25519Signature good = signer->sign({});
  EXPECT_TRUE(ed25519_verify(signer->public_key(), {}, good));
  EXPECT_FALSE(ed25519_verify(signer->public_key(), {}, std::span(good).first(63)));
  EXPECT_FALSE(ed25519_verify(signer->public_key(), {}, {}));
  EXPECT_FALSE(ed25519_verify(std::span(signer->public_key()).first(31), {}, good));
  EXPECT_EQ(Ed25519Verifier::create({}).error().code(), ErrorCode::invalid_argument);
}

TEST(SignerTest, VerifyRefusesBytesThatAreNoPoint) {
  SystemRandom random;
  const auto signer = Ed25519Signer::generate(random);
  ASSERT_TRUE(signer);
  std::array<std::byte, 32> no_point{};
  no_point[0] = std::byte{2};  // y = 2: x^2 is no square
  EXPECT_FALSE(ed25519_verify(no_point, as_bytes("m"), signer->sign(as_bytes("m"))));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

}  // namespace
}  // namespace strongroom::crypto

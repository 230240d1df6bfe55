#include "crypto/kdf.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <array>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

std::string text_of(const Result<SecretBytes>& secret) {
  return secret ? hex(secret->reveal()) : "error";
}

TEST(KdfTest, HkdfGivesTheRfcsValue) {  // RFC 5869 appendix A.1
  std::array<std::byte, 22> key;
  key.fill(std::byte{0x0b});
  std::array<std::byte, 13> salt;
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = std::byte(i);
  std::array<std::byte, 10> info;
  for (std::size_t i = 0; i < info.size(); ++i) info[i] = std::byte(0xf0 + i);
  EXPECT_EQ(text_of(hkdf_sha256(key, salt, info, 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(KdfTest, HkdfTakesEmptyParts) {
  const auto derived = hkdf_sha256({}, {}, {}, 32);
  ASSERT_TRUE(derived);
  EXPECT_NE(text_of(derived), text_of(hkdf_sha256({}, {}, as_bytes("i"), 32)));
}

TEST(KdfTest, HkdfRefusesSizesOutsideTheRfc) {
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, 0).error().code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(hkdf_sha256(as_bytes("key"), {}, {}, kHkdfSizeMax));
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, kHkdfSizeMax + 1).error().code(),
            ErrorCode::invalid_argument);
}

TEST(KdfTest, Pbkdf2GivesTheKnownValue) {  // RFC 6070's fourth case, with SHA-256
  EXPECT_EQ(text_of(pbkdf2_sha256(as_bytes("password"), as_bytes("salt"), 4'096, 32)),
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}

TEST(KdfTest, Pbkdf2RefusesFewIterationsAndNoBytes) {
  EXPECT_EQ(pbkdf2_sha256(as_bytes("p"), as_bytes("s"), 999, 32).error().code(),
            ErrorCode::invalid_argument);
  EXPECT_TRUE(pbkdf2_sha256(as_bytes("p"), as_bytes("s"), 1'000, 32));
  EXPECT_EQ(pbkdf2_sha256(as_bytes("p"), as_bytes("s"), 1'000, 0).error().code(),
            ErrorCode::invalid_argument);
  EXPECT_EQ(
      pbkdf2_sha256(as_bytes("p"), as_bytes("s"), 1'000, SecretBytes::kSizeMax + 1).error().code(),
      ErrorCode::too_large);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

}  // namespace
}  // namespace strongroom::crypto

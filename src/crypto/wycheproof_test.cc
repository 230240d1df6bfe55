// Project Wycheproof's vectors through our own wrappers: what must be accepted is, what must be
// refused is.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "crypto/aead_primitive.h"
#include "crypto/kdf.h"
#include "crypto/mac.h"
#include "crypto/signer.h"

namespace strongroom::crypto {
namespace {

namespace json = boost::json;
using Bytes = std::vector<std::byte>;

std::filesystem::path vectors() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  if (folder != nullptr) return folder;
  return std::filesystem::path(SR_SOURCE_DIR) / "../shared/vectors";
}

Bytes bytes(const json::object& object, const char* key) {
  const std::string_view text = object.at(key).as_string();
  Bytes out(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, out)) << key;
  return out;
}

std::size_t number(const json::object& object, const char* key) {
  return object.at(key).to_number<std::size_t>();
}

bool is_valid(const json::object& test) { return test.at("result").as_string() == "valid"; }

using Check = std::function<void(const json::object& group, const json::object& test)>;

// Runs `check` on every test of the file; false when the vectors are absent.
bool for_each_test(const char* name, const Check& check) {
  std::ifstream file(vectors() / "wycheproof" / name);
  if (!file) return false;
  std::stringstream text;
  text << file.rdbuf();
  const json::value document = json::parse(text.str());
  std::size_t ran = 0;
  for (const json::value& group : document.at("testGroups").as_array()) {
    for (const json::value& test : group.at("tests").as_array()) {
      SCOPED_TRACE("tcId " + std::to_string(number(test.as_object(), "tcId")));
      check(group.as_object(), test.as_object());
      ++ran;
    }
  }
  EXPECT_EQ(ran, number(document.as_object(), "numberOfTests"));
  return true;
}

#define SR_SKIP_WITHOUT(ran) \
  if (!(ran)) GTEST_SKIP() << "no vectors in " << vectors() << "; set STRONGROOM_VECTORS"

TEST(WycheproofTest, AesGcm) {
  std::size_t sealed_count = 0;
  std::size_t refused_count = 0;
  SR_SKIP_WITHOUT(for_each_test("aes_gcm_test.json", [&](const auto& group, const auto& test) {
    const Bytes key = bytes(test, "key"), nonce = bytes(test, "iv"), data = bytes(test, "aad");
    const Bytes message = bytes(test, "msg"), ciphertext = bytes(test, "ct");
    const Bytes tag = bytes(test, "tag");
    const GcmInput input{key, nonce, data};
    Bytes opened(ciphertext.size()), sealed(message.size()), made_tag(16);
    const auto open = aes256_gcm_open(input, ciphertext, tag, opened);
    const auto seal = aes256_gcm_seal(input, message, sealed, made_tag);
    if (number(group, "keySize") != 256 || number(group, "ivSize") != 96) {
      ++refused_count;  // valid in the standard or not: we offer 256-bit keys and 96-bit nonces
                        // alone
      ASSERT_FALSE(open || seal);
      EXPECT_EQ(open.error().code(), ErrorCode::invalid_argument);
      EXPECT_EQ(seal.error().code(), ErrorCode::invalid_argument);
      return;
    }
    ASSERT_TRUE(seal);
    ASSERT_EQ(open.has_value(), is_valid(test));
    if (open) {
      ++sealed_count;
      EXPECT_EQ(opened, message);
      EXPECT_EQ(sealed, ciphertext);
      EXPECT_EQ(made_tag, tag);
    } else {
      EXPECT_EQ(open.error().code(), ErrorCode::permission_denied);
    }
    for (std::size_t size = 0; size < 16; ++size) {  // short tags, true prefixes though they are
      const auto truncated = aes256_gcm_open(input, ciphertext, std::span(tag).first(size), opened);
      ASSERT_FALSE(truncated) << size;
      EXPECT_EQ(truncated.error().code(), ErrorCode::invalid_argument);
    }
  }));
  EXPECT_GT(sealed_count, 30u);
  EXPECT_GT(refused_count, 200u);
}

TEST(WycheproofTest, HmacSha256) {
  SR_SKIP_WITHOUT(for_each_test("hmac_sha256_test.json", [](const auto& group, const auto& test) {
    const HmacTag made = hmac_sha256(bytes(test, "key"), bytes(test, "msg"));
    const Bytes tag = bytes(test, "tag");
    const auto prefix = std::span(made).first(number(group, "tagSize") / 8);
    EXPECT_EQ(equal_constant_time(prefix, tag), is_valid(test));
  }));
}

TEST(WycheproofTest, HkdfSha256) {
  SR_SKIP_WITHOUT(for_each_test("hkdf_sha256_test.json", [](const auto&, const auto& test) {
    const auto derived = hkdf_sha256(bytes(test, "ikm"), bytes(test, "salt"), bytes(test, "info"),
                                     number(test, "size"));
    ASSERT_EQ(derived.has_value(), is_valid(test));
    if (derived) {
      EXPECT_EQ(hex(derived->reveal()), test.at("okm").as_string());
    }
  }));
}

TEST(WycheproofTest, Pbkdf2HmacSha256) {
  SR_SKIP_WITHOUT(for_each_test("pbkdf2_hmacsha256_test.json", [](const auto&, const auto& test) {
    const auto iterations = static_cast<std::uint32_t>(number(test, "iterationCount"));
    const auto derived = pbkdf2_sha256(bytes(test, "password"), bytes(test, "salt"), iterations,
                                       number(test, "dkLen"));
    ASSERT_EQ(derived.has_value(), is_valid(test) && iterations >= kPbkdf2IterationsFloor);
    if (derived) {
      EXPECT_EQ(hex(derived->reveal()), test.at("dk").as_string());
    }
  }));
}

TEST(WycheproofTest, Ed25519) {
  SR_SKIP_WITHOUT(for_each_test("ed25519_test.json", [](const auto& group, const auto& test) {
    const Bytes key = bytes(group.at("publicKey").as_object(), "pk");
    EXPECT_EQ(ed25519_verify(key, bytes(test, "msg"), bytes(test, "sig")), is_valid(test));
  }));
}

}  // namespace
}  // namespace strongroom::crypto

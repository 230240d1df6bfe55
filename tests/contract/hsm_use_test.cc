// The contract for what is done with keys. OpenSSL computes the same beside the module.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>

#include "hsm_fixture.h"

namespace strongroom::test {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Module;
using pkcs11::Session;

class HsmUse : public HsmTest {};
INSTANTIATE_TEST_SUITE_P(Modules, HsmUse, testing::Values(kSoftHsm.data(), kNss.data()),
                         [](const auto& hsm) { return std::string(hsm.param); });

constexpr std::array<std::byte, 32> known_key() {
  std::array<std::byte, 32> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i * 7 + 1);
  return key;
}

std::array<std::byte, 32> openssl_hmac(std::span<const std::byte> data) {
  const auto key = known_key();
  std::array<std::byte, 32> mac{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), key.data(), key.size(),
         reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(mac.data()), &size);
  return mac;
}

// Opens with OpenSSL what the module sealed; false when the tag does not verify.
bool openssl_opens(const SealedForTest& sealed, std::string_view expected) {
  const auto u8 = [](auto& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); };
  const auto c8 = [](auto& bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); };
  const auto key = known_key();
  auto tag = std::vector(sealed.bytes.end() - 16, sealed.bytes.end());
  std::vector<std::byte> out(sealed.bytes.size());
  int size = 0;
  EVP_CIPHER_CTX* const context = ::EVP_CIPHER_CTX_new();
  ::EVP_DecryptInit_ex(context, ::EVP_aes_256_gcm(), nullptr, c8(key), c8(sealed.nonce));
  ::EVP_DecryptUpdate(context, nullptr, &size, c8(sealed.aad), static_cast<int>(sealed.aad.size()));
  ::EVP_DecryptUpdate(context, u8(out), &size, c8(sealed.bytes),
                      static_cast<int>(sealed.bytes.size() - 16));
  ::EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, u8(tag));
  int rest = 0;
  const bool verified = ::EVP_DecryptFinal_ex(context, u8(out) + size, &rest) == 1;
  ::EVP_CIPHER_CTX_free(context);
  return verified && as_text(std::span(out).first(static_cast<std::size_t>(size))) == expected;
}

TEST_P(HsmUse, GcmOpensWhatItSealed) {
  REQUIRE_MECHANISM(aes_gcm);
  const KeyHandle key = wrapping_key();
  Session use = session();
  const auto sealed = seal(use, key, "thirty-two bytes of key material", "aad");
  ASSERT_TRUE(sealed) << sealed.error().what() << sealed.error().detail();
  EXPECT_EQ(unseal(use, key, *sealed).value(), "thirty-two bytes of key material");
}

TEST_P(HsmUse, GcmEqualsOpenSsl) {
  REQUIRE_MECHANISM(aes_gcm);
  const auto key = token_->import_session_key(KeyPurpose::aes256_wrap, known_key());
  ASSERT_TRUE(key) << key.error().what() << key.error().detail();
  Session use = session();
  const auto sealed = seal(use, *key, "thirty-two bytes of key material", "aad");
  ASSERT_TRUE(sealed);
  EXPECT_TRUE(openssl_opens(*sealed, "thirty-two bytes of key material"));
}

TEST_P(HsmUse, GcmRefusesEveryChange) {
  REQUIRE_MECHANISM(aes_gcm);
  const KeyHandle key = wrapping_key();
  const KeyHandle other = wrapping_key("other");
  Session use = session();
  const auto sealed = seal(use, key, "plaintext", "aad");
  ASSERT_TRUE(sealed);
  const auto flipped = [&](auto SealedForTest::* part, std::size_t at) {
    SealedForTest changed = *sealed;
    (changed.*part)[at] ^= std::byte{1};
    return changed;
  };
  EXPECT_EQ(code_of(unseal(use, key, flipped(&SealedForTest::aad, 0))),
            ErrorCode::permission_denied);
  EXPECT_EQ(code_of(unseal(use, key, flipped(&SealedForTest::nonce, 11))),
            ErrorCode::permission_denied);
  for (std::size_t at = 0; at < sealed->bytes.size(); ++at) {
    EXPECT_EQ(code_of(unseal(use, key, flipped(&SealedForTest::bytes, at))),
              ErrorCode::permission_denied);
  }
  EXPECT_EQ(code_of(unseal(use, other, *sealed)), ErrorCode::permission_denied);
  EXPECT_EQ(unseal(use, key, *sealed).value(), "plaintext");  // the session is still good
}

TEST_P(HsmUse, GcmLeavesNoPlaintextWhenItRefuses) {
  REQUIRE_MECHANISM(aes_gcm);
  const KeyHandle key = wrapping_key();
  Session use = session();
  auto sealed = seal(use, key, "plaintext", "aad");
  ASSERT_TRUE(sealed);
  sealed->bytes.back() ^= std::byte{1};
  std::vector<std::byte> out(sealed->bytes.size() + 8, std::byte{0xAA});
  EXPECT_FALSE(use.decrypt_gcm(key, sealed->nonce, sealed->aad, sealed->bytes, out));
  EXPECT_EQ(out, std::vector<std::byte>(out.size()));
}

TEST_P(HsmUse, GcmRefusesWrongSizes) {
  REQUIRE_MECHANISM(aes_gcm);
  const KeyHandle key = wrapping_key();
  Session use = session();
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce{};
  std::vector<std::byte> out(64);
  const auto encrypt = [&](std::size_t plain, std::size_t room) {
    out.assign(room, {});
    return code_of(use.encrypt_gcm(key, nonce, {}, std::vector<std::byte>(plain), out));
  };
  EXPECT_EQ(encrypt(0, 16), ErrorCode::invalid_argument);
  EXPECT_EQ(encrypt(32, 47), ErrorCode::invalid_argument);
  EXPECT_EQ(encrypt(32, 49), ErrorCode::invalid_argument);
  EXPECT_EQ(encrypt(pkcs11::kDataBytesMax + 1, pkcs11::kDataBytesMax + 17), ErrorCode::too_large);
  const auto decrypt = [&](std::size_t sealed, std::size_t room) {
    out.assign(room, {});
    return code_of(use.decrypt_gcm(key, nonce, {}, std::vector<std::byte>(sealed), out));
  };
  EXPECT_EQ(decrypt(16, 16), ErrorCode::invalid_argument);
  EXPECT_EQ(decrypt(48, 47), ErrorCode::invalid_argument);
  EXPECT_EQ(decrypt(pkcs11::kDataBytesMax + 1, pkcs11::kDataBytesMax + 1), ErrorCode::too_large);
}

TEST_P(HsmUse, KeysServeTheirPurposeOnly) {
  REQUIRE_MECHANISM(aes_gcm);
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle wrap = wrapping_key();
  const KeyHandle mac = mac_key();
  Session use = session();
  EXPECT_FALSE(seal(use, mac, "plaintext", "aad"));
  EXPECT_FALSE(use.hmac_sha256(wrap, as_bytes("data")));
  EXPECT_TRUE(use.hmac_sha256(mac, as_bytes("data")));
}

TEST_P(HsmUse, WrongMechanismNumberIsInvalid) {
  mac_key();
  token_.reset();
  module_.reset();
  pkcs11::ModuleOptions options = hsm_->options();
  options.mechanisms.sha256_hmac = 0x7FFFFFF1;
  auto module = Module::load(hsm_->module_path(), options);
  ASSERT_TRUE(module);
  module_ = *std::move(module);
  open_token();
  EXPECT_FALSE(token_->supports(options.mechanisms.sha256_hmac).value());
  const auto found = token_->find_key("mac");
  ASSERT_TRUE(found);
  EXPECT_EQ(code_of(session().hmac_sha256(*found, as_bytes("x"))), ErrorCode::invalid_argument);
}

TEST_P(HsmUse, HmacEqualsOpenSsl) {
  REQUIRE_MECHANISM(sha256_hmac);
  const auto key = token_->import_session_key(KeyPurpose::hmac_sha256, known_key());
  ASSERT_TRUE(key) << key.error().what() << key.error().detail();
  Session use = session();
  for (const std::size_t size : {1U, 32U, 55U, 64U, 200U, 4096U}) {
    const std::vector<std::byte> data(size, std::byte{0x5A});
    EXPECT_EQ(use.hmac_sha256(*key, data).value(), openssl_hmac(data)) << size;
  }
  EXPECT_EQ(code_of(use.hmac_sha256(*key, std::vector<std::byte>(pkcs11::kDataBytesMax + 1))),
            ErrorCode::too_large);
}

TEST_P(HsmUse, SessionCopyGivesTheSameResults) {
  REQUIRE_MECHANISM(aes_gcm);
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle wrap = wrapping_key();
  const KeyHandle mac = mac_key();
  const auto wrap_copy = token_->copy_to_session(wrap);
  const auto mac_copy = token_->copy_to_session(mac);
  ASSERT_TRUE(wrap_copy) << wrap_copy.error().what() << wrap_copy.error().detail();
  ASSERT_TRUE(mac_copy);
  EXPECT_NE(*wrap_copy, wrap);
  Session use = session();
  EXPECT_EQ(use.hmac_sha256(mac, as_bytes("x")).value(),
            use.hmac_sha256(*mac_copy, as_bytes("x")).value());
  const auto sealed = seal(use, *wrap_copy, "plaintext", "aad");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(unseal(use, wrap, *sealed).value(), "plaintext");
  const auto attributes = token_->attributes(*wrap_copy);
  ASSERT_TRUE(attributes);
  EXPECT_FALSE(attributes->on_token);
  EXPECT_TRUE(attributes->sensitive);
  EXPECT_FALSE(attributes->extractable);
  EXPECT_EQ(token_->copy_to_session(wrap).value(), *wrap_copy);  // one copy serves all
  EXPECT_EQ(code_of(token_->copy_to_session(*wrap_copy)), ErrorCode::invalid_argument);
  EXPECT_EQ(token_->find_key("wrap").value(), wrap);  // the copy makes no label ambiguous
}

TEST_P(HsmUse, CheckValueTellsKeysApart) {
  REQUIRE_MECHANISM(aes_ecb);
  REQUIRE_MECHANISM(sha256_hmac);
  Session use = session();
  const KeyHandle wrap = wrapping_key();
  const KeyHandle mac = mac_key();
  EXPECT_EQ(use.check_value(wrap).value(), use.check_value(wrap).value());
  EXPECT_NE(use.check_value(wrap).value(), use.check_value(wrapping_key("b")).value());
  EXPECT_EQ(use.check_value(token_->copy_to_session(mac).value()).value(),
            use.check_value(mac).value());
}

TEST_P(HsmUse, CheckValueIsWhatTheHeaderSays) {
  REQUIRE_MECHANISM(aes_ecb);
  REQUIRE_MECHANISM(sha256_hmac);
  const std::string_view label = "strongroom/kcv/1";
  Session use = session();
  const auto mac = token_->import_session_key(KeyPurpose::hmac_sha256, known_key());
  const auto expected = openssl_hmac(as_bytes(label));
  EXPECT_EQ(use.check_value(mac.value()).value(),
            (pkcs11::CheckValue{expected[0], expected[1], expected[2]}));
  const auto aes = token_->import_session_key(KeyPurpose::aes256_wrap, known_key());
  std::array<unsigned char, 32> block{};
  int size = 0;
  EVP_CIPHER_CTX* const context = ::EVP_CIPHER_CTX_new();
  const auto key = known_key();
  ::EVP_EncryptInit_ex(context, ::EVP_aes_256_ecb(), nullptr,
                       reinterpret_cast<const unsigned char*>(key.data()), nullptr);
  ::EVP_EncryptUpdate(context, block.data(), &size,
                      reinterpret_cast<const unsigned char*>(label.data()), 16);
  ::EVP_CIPHER_CTX_free(context);
  EXPECT_EQ(use.check_value(aes.value()).value(),
            (pkcs11::CheckValue{std::byte{block[0]}, std::byte{block[1]}, std::byte{block[2]}}));
}

TEST_P(HsmUse, RandomFillsTheWholeSpan) {
  Session use = session();
  std::vector<std::byte> first(64), second(64);
  ASSERT_TRUE(use.random(first));
  ASSERT_TRUE(use.random(second));
  EXPECT_NE(first, second);
  EXPECT_NE(std::vector(first.end() - 16, first.end()), std::vector<std::byte>(16));
  std::vector<std::byte> too_much(pkcs11::kDataBytesMax + 1);
  EXPECT_EQ(code_of(use.random(too_much)), ErrorCode::too_large);
}

}  // namespace
}  // namespace strongroom::test

// HsmTest: the fixture of the contract suite: a loaded module and an open token of each
// implementation.
#pragma once

#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"
#include "hsm_under_test.h"
#include "pkcs11/session_pool.h"
#include "support/softhsm.h"

// Names the mechanism a case needs; skips the case, aloud, where the module lacks it.
#define REQUIRE_MECHANISM(field)                                            \
  do {                                                                      \
    const auto sr_has = token_->supports(module_->mechanisms().field);      \
    ASSERT_TRUE(sr_has);                                                    \
    if (!*sr_has) GTEST_SKIP() << GetParam() << " lacks mechanism " #field; \
  } while (false)

namespace strongroom::test {

inline std::vector<std::byte> copy_bytes(std::string_view text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// Each test has its own token, as keys stay in one.
class HsmTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    hsm_ = make_hsm(GetParam());
    if (hsm_ == nullptr) GTEST_SKIP() << "this machine has no module " << GetParam();
    load();
    open_token();
  }

  void load() {
    auto module = pkcs11::Module::load(hsm_->module_path(), hsm_->options());
    ASSERT_TRUE(module) << module.error().what() << " " << module.error().detail();
    module_ = *std::move(module);
  }
  void open_token() {
    auto token = open_with(hsm_->pin());
    ASSERT_TRUE(token) << token.error().what() << " " << token.error().detail();
    token_ = *std::move(token);
  }
  Result<std::unique_ptr<pkcs11::Token>> open_with(std::string_view pin) {
    return pkcs11::Token::open(*module_, hsm_->label(), secret_of(pin));
  }

  // Ids of keys must differ as labels do: here they are equal.
  static pkcs11::KeySpec spec(const std::string& label, pkcs11::KeyPurpose purpose) {
    return {.label = label, .id = copy_bytes(label), .purpose = purpose};
  }
  pkcs11::KeyHandle generate(const std::string& label, pkcs11::KeyPurpose purpose) {
    const auto key = token_->generate_secret_key(spec(label, purpose));
    SR_CHECK(key);
    return *key;
  }
  pkcs11::KeyHandle wrapping_key(const std::string& label = "wrap") {
    return generate(label, pkcs11::KeyPurpose::aes256_wrap);
  }
  pkcs11::KeyHandle mac_key(const std::string& label = "mac") {
    return generate(label, pkcs11::KeyPurpose::hmac_sha256);
  }
  pkcs11::Session session() {
    auto session = pkcs11::Session::open(*token_);
    EXPECT_TRUE(session);
    return *std::move(session);
  }
  const CK_FUNCTION_LIST& raw() const { return module_->functions(); }
  CK_SLOT_ID slot() const { return module_->find_token(hsm_->label())->id; }

  std::unique_ptr<HsmUnderTest> hsm_;
  std::unique_ptr<pkcs11::Module> module_;
  std::unique_ptr<pkcs11::Token> token_;
};

// What encrypt_gcm made, with all that decrypt_gcm needs.
struct SealedForTest {
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce{};
  std::vector<std::byte> aad;
  std::vector<std::byte> bytes;
};

inline Result<SealedForTest> seal(pkcs11::Session& session, pkcs11::KeyHandle key,
                                  std::string_view plaintext, std::string_view aad) {
  SealedForTest sealed{.aad = copy_bytes(aad),
                       .bytes = std::vector<std::byte>(plaintext.size() + pkcs11::kGcmTagBytes)};
  SR_CHECK_OK(session.random(sealed.nonce));
  SR_CHECK_OK(
      session.encrypt_gcm(key, sealed.nonce, sealed.aad, as_bytes(plaintext), sealed.bytes));
  return sealed;
}

inline Result<std::string> unseal(pkcs11::Session& session, pkcs11::KeyHandle key,
                                  const SealedForTest& sealed) {
  std::vector<std::byte> out(sealed.bytes.size());
  SR_TRY(const std::size_t size,
         session.decrypt_gcm(key, sealed.nonce, sealed.aad, sealed.bytes, out));
  return std::string(as_text(std::span(out).first(size)));
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::unknown_outcome : result.error().code();
}

}  // namespace strongroom::test

// What happens when the HSM forgets us: sessions, logins, copies and tokens that go and come back.
#include <algorithm>
#include <thread>

#include "hsm_fixture.h"

namespace strongroom::test {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Lease;
using pkcs11::Session;
using pkcs11::SessionPool;
using pkcs11::Token;

class HsmRecovery : public HsmTest {
 protected:
  // As after a restart of the HSM: no session, no login, no session object is left.
  void forget_sessions() { ASSERT_EQ(raw().C_CloseAllSessions(slot()), CKR_OK); }

  void change_pin(std::string from, std::string to) {
    CK_SESSION_HANDLE session = 0;
    ASSERT_EQ(raw().C_OpenSession(slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                  &session),
              CKR_OK);
    const auto u8 = [](std::string& text) { return reinterpret_cast<CK_BYTE_PTR>(text.data()); };
    raw().C_Login(session, CKU_USER, u8(from), from.size());  // softokn wants it; or it is done
    ASSERT_EQ(raw().C_SetPIN(session, u8(from), from.size(), u8(to), to.size()), CKR_OK);
    ASSERT_EQ(raw().C_CloseSession(session), CKR_OK);
  }
};
INSTANTIATE_TEST_SUITE_P(Modules, HsmRecovery, testing::Values(kSoftHsm.data(), kNss.data()),
                         [](const auto& hsm) { return std::string(hsm.param); });

TEST_P(HsmRecovery, LostSessionIsReportedOnceThenOpenedAgain) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  Session use = session();
  const auto before = use.hmac_sha256(key, as_bytes("x"));
  ASSERT_TRUE(before);
  forget_sessions();
  EXPECT_EQ(code_of(use.hmac_sha256(key, as_bytes("x"))), ErrorCode::unavailable);
  const auto after = use.hmac_sha256(key, as_bytes("x"));
  ASSERT_TRUE(after) << after.error().what() << std::hex << after.error().detail();
  EXPECT_EQ(*after, *before);
}

TEST_P(HsmRecovery, EverySessionOfAPoolRecovers) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  const auto pool = SessionPool::open(*token_, 2);
  ASSERT_TRUE(pool);
  forget_sessions();
  Lease first = (*pool)->lease();
  Lease second = (*pool)->lease();
  EXPECT_FALSE(first->hmac_sha256(key, as_bytes("x")));
  EXPECT_FALSE(second->hmac_sha256(key, as_bytes("x")));
  EXPECT_TRUE(first->hmac_sha256(key, as_bytes("x")));
  EXPECT_TRUE(second->hmac_sha256(key, as_bytes("x")));
}

TEST_P(HsmRecovery, DecryptTellsALostSessionFromAWrongTag) {
  REQUIRE_MECHANISM(aes_gcm);
  const KeyHandle key = wrapping_key();
  Session use = session();
  const auto sealed = seal(use, key, "plaintext", "aad");
  ASSERT_TRUE(sealed);
  forget_sessions();
  EXPECT_EQ(code_of(unseal(use, key, *sealed)), ErrorCode::unavailable);
  EXPECT_EQ(unseal(use, key, *sealed).value(), "plaintext");
}

TEST_P(HsmRecovery, SessionCopyIsMadeAnew) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle copy = token_->copy_to_session(mac_key()).value();
  Session use = session();
  const auto before = use.hmac_sha256(copy, as_bytes("x"));
  ASSERT_TRUE(before);
  forget_sessions();
  EXPECT_FALSE(use.hmac_sha256(copy, as_bytes("x")));
  const auto after = use.hmac_sha256(copy, as_bytes("x"));
  ASSERT_TRUE(after) << after.error().what() << std::hex << after.error().detail();
  EXPECT_EQ(*after, *before);
  EXPECT_FALSE(token_->attributes(copy).value().on_token);
}

TEST_P(HsmRecovery, KeyIsDestroyedThoughItsCopyIsLost) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  const auto copy = token_->copy_to_session(key);
  ASSERT_TRUE(copy);
  forget_sessions();
  ASSERT_TRUE(token_->destroy_key(key));
  EXPECT_EQ(code_of(session().hmac_sha256(*copy, as_bytes("x"))), ErrorCode::gone);
  EXPECT_EQ(code_of(token_->find_key("mac")), ErrorCode::not_found);
}

TEST_P(HsmRecovery, ImportedKeyIsGone) {
  REQUIRE_MECHANISM(sha256_hmac);
  const auto key = token_->import_session_key(KeyPurpose::hmac_sha256, std::array<std::byte, 32>{});
  ASSERT_TRUE(key);
  Session use = session();
  forget_sessions();
  EXPECT_FALSE(use.hmac_sha256(*key, as_bytes("x")));
  EXPECT_EQ(code_of(use.hmac_sha256(*key, as_bytes("x"))), ErrorCode::gone);
}

TEST_P(HsmRecovery, TokenCallsRecoverAtOnce) {
  const KeyHandle key = mac_key();
  forget_sessions();
  EXPECT_TRUE(token_->check());
  forget_sessions();
  EXPECT_EQ(token_->find_key("mac").value(), key);
  forget_sessions();
  EXPECT_TRUE(token_->attributes(key));
  forget_sessions();
  EXPECT_TRUE(token_->copy_to_session(key));
  forget_sessions();
  EXPECT_TRUE(token_->destroy_key(key));
}

TEST_P(HsmRecovery, RefusedPinIsNeverTriedAgain) {
  change_pin(hsm_->pin(), "changed-by-another");
  forget_sessions();
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  change_pin("changed-by-another", hsm_->pin());
  std::this_thread::sleep_for(Token::kLoginInterval + std::chrono::milliseconds(50));
  const auto refused = token_->check();
  EXPECT_EQ(code_of(refused), ErrorCode::unavailable);
  EXPECT_EQ(refused.error().what(),
            "HSM: it has refused the PIN, which is not tried again before a restart");
}

TEST_P(HsmRecovery, KeyDestroyedByAnotherIsNotFound) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  Session use = session();
  ASSERT_TRUE(use.hmac_sha256(key, as_bytes("x")));
  CK_SESSION_HANDLE session = 0;
  ASSERT_EQ(
      raw().C_OpenSession(slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
      CKR_OK);
  CK_ATTRIBUTE wanted{CKA_LABEL, const_cast<char*>("mac"), 3};
  ASSERT_EQ(raw().C_FindObjectsInit(session, &wanted, 1), CKR_OK);
  CK_OBJECT_HANDLE object = 0;
  CK_ULONG count = 0;
  ASSERT_EQ(raw().C_FindObjects(session, &object, 1, &count), CKR_OK);
  raw().C_FindObjectsFinal(session);
  ASSERT_EQ(raw().C_DestroyObject(session, object), CKR_OK);
  EXPECT_EQ(code_of(use.hmac_sha256(key, as_bytes("x"))), ErrorCode::unavailable);
  EXPECT_EQ(code_of(use.hmac_sha256(key, as_bytes("x"))), ErrorCode::not_found);
}

class SoftHsmToken : public HsmTest {
 protected:
  // The slot that SoftHSM keeps for the next token.
  CK_SLOT_ID blank_slot() {
    const auto slots = module_->slots().value();
    for (const auto& slot : slots) {
      if (!slot.token.initialized) return slot.id;
    }
    ADD_FAILURE() << "no blank slot";
    return 0;
  }
  Result<void> initialize(std::string_view label) {
    return Token::initialize(*module_, blank_slot(), label, secret_of("so-pin"),
                             secret_of("user-pin"));
  }
};
INSTANTIATE_TEST_SUITE_P(Modules, SoftHsmToken, testing::Values(kSoftHsm.data()));

TEST_P(SoftHsmToken, InitializeRefusesATakenLabel) {
  EXPECT_EQ(code_of(initialize(hsm_->label())), ErrorCode::conflict);
}

TEST_P(SoftHsmToken, InitializeGoesOnWhereItWasCutShort) {
  std::string so_pin = "so-pin";
  std::array<unsigned char, 32> label;
  label.fill(' ');
  std::ranges::copy(std::string_view("second"), label.begin());
  const CK_SLOT_ID slot = blank_slot();
  ASSERT_EQ(raw().C_InitToken(slot, reinterpret_cast<CK_BYTE_PTR>(so_pin.data()), so_pin.size(),
                              label.data()),
            CKR_OK);
  EXPECT_EQ(code_of(Token::open(*module_, "second", secret_of("user-pin"))),
            ErrorCode::permission_denied);
  ASSERT_TRUE(
      Token::initialize(*module_, slot, "second", secret_of("so-pin"), secret_of("user-pin")));
  EXPECT_TRUE(Token::open(*module_, "second", secret_of("user-pin")));
}

TEST_P(SoftHsmToken, KeyOfAnotherTokenIsRefused) {
  ASSERT_TRUE(initialize("second"));
  const auto second = Token::open(*module_, "second", secret_of("user-pin"));
  ASSERT_TRUE(second);
  const KeyHandle key = mac_key();
  auto use = Session::open(**second);
  ASSERT_TRUE(use);
  EXPECT_EQ(code_of(use->hmac_sha256(key, as_bytes("x"))), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of((*second)->attributes(key)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of((*second)->copy_to_session(key)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of((*second)->destroy_key(key)), ErrorCode::invalid_argument);
}

TEST_P(SoftHsmToken, TwoTokensOfOneLabelAreAConflict) {
  ASSERT_TRUE(initialize("second"));
  token_.reset();
  std::string so_pin = "so-pin";
  std::array<unsigned char, 32> label;
  label.fill(' ');
  std::ranges::copy(hsm_->label(), label.begin());
  ASSERT_EQ(raw().C_InitToken(blank_slot(), reinterpret_cast<CK_BYTE_PTR>(so_pin.data()),
                              so_pin.size(), label.data()),
            CKR_OK);
  EXPECT_EQ(code_of(open_with(hsm_->pin())), ErrorCode::conflict);
}

}  // namespace
}  // namespace strongroom::test

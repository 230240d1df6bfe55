// vaultd's keys as it finds them: refused when they are not as it makes them, or not those of the
// database; and what it knows of an HSM that nobody asks for anything.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/keys/hsm_key_store.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/card_store.h"
#include "faulty_module.h"
#include "storage/migrations.h"
#include "support/softhsm.h"
#include "support/temporary_directory.h"
#include "vault_fixture.h"

namespace strongroom::cde {
namespace {

constexpr Error kNotNow{ErrorCode::exhausted, "no room for the note"};
constexpr std::string_view kEncryption = "strongroom/pan-encryption/1";

// A token of its own for each test.
class VaultKeysTest : public testing::Test {
 protected:
  ~VaultKeysTest() override { loop_.run_until_done(database_->close()); }
  VaultKeysTest() {
    database_ = *storage::open(loop_, {.url = "sqlite:" + (folder_.path() / "vault.db").string()});
    SR_CHECK(loop_.run_until_done(storage::migrate(*database_, vault_migrations(), clock_)));
  }

  Result<void> start() {
    keys_.reset();  // its session
    keys_ = std::make_unique<Keys>(*this);
    return loop_.run_until_done(keys_->keeper.start());
  }
  void destroy(std::string_view label) {
    const auto old = token_->find_key(label);
    SR_CHECK(!old || token_->destroy_key(*old));
  }
  void make_anew(std::string_view label, pkcs11::KeyPurpose purpose) {
    destroy(label);
    const auto id = as_bytes(label);
    SR_CHECK(token_->generate_secret_key({std::string(label), {id.begin(), id.end()}, purpose}));
  }
  // A key that somebody knows, under our label: what generate_secret_key never makes.
  void plant(std::string_view label, bool sensitive, bool extractable) {
    const CK_FUNCTION_LIST& raw = module_->functions();
    CK_SESSION_HANDLE session = 0;
    SR_CHECK(raw.C_OpenSession(module_->find_token(softhsm_.kLabel)->id,
                               CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                               &session) == CKR_OK);
    CK_OBJECT_CLASS object_class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL is_sensitive = sensitive ? CK_TRUE : CK_FALSE;
    CK_BBOOL is_extractable = extractable ? CK_TRUE : CK_FALSE;
    std::string name(label);
    std::array<CK_BYTE, 32> value{};
    std::array<CK_ATTRIBUTE, 10> attributes{{{CKA_CLASS, &object_class, sizeof object_class},
                                             {CKA_KEY_TYPE, &type, sizeof type},
                                             {CKA_TOKEN, &yes, 1},
                                             {CKA_PRIVATE, &yes, 1},
                                             {CKA_ENCRYPT, &yes, 1},
                                             {CKA_DECRYPT, &yes, 1},
                                             {CKA_SENSITIVE, &is_sensitive, 1},
                                             {CKA_EXTRACTABLE, &is_extractable, 1},
                                             {CKA_LABEL, name.data(), name.size()},
                                             {CKA_VALUE, value.data(), value.size()}}};
    CK_OBJECT_HANDLE object = 0;
    SR_CHECK(raw.C_CreateObject(session, attributes.data(), attributes.size(), &object) == CKR_OK);
    raw.C_CloseSession(session);
  }

  // The next call of `function` answers `rv`.
  static void spoil(const char* function, CK_RV rv) {
    void* const library = ::dlopen(FAULTY_MODULE, RTLD_NOW | RTLD_NOLOAD);
    SR_CHECK(library != nullptr);
    reinterpret_cast<decltype(&faulty_module_spoil)>(::dlsym(library, "faulty_module_spoil"))(
        function, rv, 1, 0);
    ::dlclose(library);
  }

  struct Keys {
    explicit Keys(VaultKeysTest& test)
        : sessions(*pkcs11::SessionPool::open(*test.token_, 1)),
          recorder(test.loop_),
          trips(test.loop_, {test.token_.get(), sessions.get(), nullptr}),
          store(trips, sets, true),
          keeper({test.loop_, *test.database_, store, recorder, test.random_, test.clock_,
                  "vaultd"}) {}
    std::unique_ptr<pkcs11::SessionPool> sessions;
    FakeRecorder recorder;
    KeySets sets;
    HsmTrips trips;
    HsmKeyStore store;
    KeyKeeper keeper;
  };

  test::TemporarySoftHsm softhsm_;
  test::TemporaryDirectory folder_;
  async::Loop loop_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<pkcs11::Module> module_ = *pkcs11::Module::load(FAULTY_MODULE);
  std::unique_ptr<pkcs11::Token> token_ =
      *pkcs11::Token::open(*module_, softhsm_.kLabel, test::secret_of(softhsm_.kPin));
  std::unique_ptr<Keys> keys_;
};

TEST_F(VaultKeysTest, OnlyWhatIsMissingIsMadeAndToldByItsLabel) {
  std::vector<std::string> told;
  const AroundKey note = [&told](std::string_view label, const auto& make) {
    told.emplace_back(label);
    return make();
  };
  const AroundKey refuse = [](std::string_view, const auto&) {
    return Result<void>(fail(kNotNow));
  };
  const auto refused = make_first_keys(*token_, refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), kNotNow.what());
  EXPECT_FALSE(check_keys(*token_)) << "what was not noted was not made";
  ASSERT_TRUE(make_first_keys(*token_, note));
  EXPECT_EQ(told,
            (std::vector<std::string>{std::string(kEncryption), "strongroom/pan-fingerprint/1",
                                      "strongroom/blind-index/1", "strongroom/key-registry/1"}));
  ASSERT_TRUE(make_first_keys(*token_, note));
  EXPECT_EQ(told.size(), 4U);
  EXPECT_TRUE(check_keys(*token_));
}

TEST_F(VaultKeysTest, NoFirstVersionIsMadeBesideALaterOne) {
  make_anew("strongroom/pan-encryption/7", pkcs11::KeyPurpose::aes256_wrap);
  ASSERT_TRUE(make_first_keys(*token_));
  EXPECT_FALSE(token_->find_key(kEncryption));
}

TEST_F(VaultKeysTest, AKeyOfAnotherPurposeIsRefused) {
  ASSERT_TRUE(make_first_keys(*token_));
  make_anew(kEncryption, pkcs11::KeyPurpose::hmac_sha256);
  const auto keys = check_keys(*token_);
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().code(), ErrorCode::permission_denied);
}

TEST_F(VaultKeysTest, APlantedKeyThatCanBeReadOutIsRefused) {
  for (const auto& [sensitive, extractable] : {std::pair(false, false), std::pair(true, true)}) {
    destroy(kEncryption);
    plant(kEncryption, sensitive, extractable);
    ASSERT_TRUE(make_first_keys(*token_));
    const auto keys = check_keys(*token_);
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().code(), ErrorCode::permission_denied);
  }
}

TEST_F(VaultKeysTest, TheDatabaseKnowsItsKeys) {
  ASSERT_TRUE(make_first_keys(*token_));
  EXPECT_TRUE(start());  // registers
  EXPECT_TRUE(start());
  make_anew("strongroom/pan-fingerprint/1", pkcs11::KeyPurpose::hmac_sha256);
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::permission_denied);
}

TEST_F(VaultKeysTest, ARegistryThatIsEmptyIsNotBegunBesideLaterKeys) {
  ASSERT_TRUE(make_first_keys(*token_));
  make_anew("strongroom/pan-encryption/2", pkcs11::KeyPurpose::aes256_wrap);
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
}

TEST_F(VaultKeysTest, WhatWasNotedBeforeThereWasARegistryHolds) {
  ASSERT_TRUE(make_first_keys(*token_));
  SR_CHECK(loop_.run_until_done(
      database_->write({{"INSERT INTO key_versions VALUES ('pan-encryption', 1, '000000', 0)"}})));
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
}

TEST_F(VaultKeysTest, AMechanismThatTheHsmLacksIsNamed) {
  ASSERT_TRUE(check_mechanisms(*token_));
  spoil("C_GetMechanismInfo", CKR_MECHANISM_INVALID);
  const auto lacking = check_mechanisms(*token_);
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(lacking.error().what(), "the HSM lacks CKM_AES_KEY_GEN, which vaultd needs");
  spoil("C_GetMechanismInfo", CKR_DEVICE_ERROR);
  EXPECT_EQ(check_mechanisms(*token_).error().code(), ErrorCode::unavailable);
}

TEST_F(VaultKeysTest, AnHsmThatDoesNotOpenWhatItSealsIsRefused) {
  ASSERT_TRUE(make_first_keys(*token_));
  for (const char* function : {"C_Encrypt", "C_Decrypt"}) {
    spoil(function, CKR_FUNCTION_FAILED);
    const auto refused = check_keys(*token_);
    ASSERT_FALSE(refused) << function;
    EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
    EXPECT_TRUE(check_keys(*token_));
  }
}

TEST_F(VaultKeysTest, AnIdleWayToTheHsmKnowsWhetherItIsThere) {
  const auto sessions = *pkcs11::SessionPool::open(*token_, 1);
  async::BlockingPool pool(1, 8);
  HsmTrips inline_trips(loop_, {token_.get(), sessions.get(), nullptr});
  HsmTrips pooled_trips(loop_, {token_.get(), sessions.get(), &pool});
  for (HsmTrips* trips : {&inline_trips, &pooled_trips}) {
    spoil("C_GetTokenInfo", CKR_DEVICE_ERROR);
    loop_.run_until_done(trips->check());
    EXPECT_FALSE(trips->hsm_answers());
    auto until_back = [](async::Loop& loop, HsmTrips& away) -> async::Task<> {
      while (!away.hsm_answers()) {
        co_await loop.sleep_for(std::chrono::milliseconds(100));
        co_await away.check();
      }
    };
    loop_.run_until_done(until_back(loop_, *trips));  // nothing but check() asked for it
  }
}

}  // namespace
}  // namespace strongroom::cde

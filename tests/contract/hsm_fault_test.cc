// What Strongroom makes of a module that fails: each call that it makes of Cryptoki, with the
// errors that matter. The module is SoftHSM behind faulty_module.
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "faulty_module.h"
#include "hsm_fixture.h"

namespace strongroom::test {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Module;
using pkcs11::Session;
using pkcs11::SessionPool;
using pkcs11::Token;

constexpr auto kAfterLoginInterval = Token::kLoginInterval + std::chrono::milliseconds(50);

class HsmFault : public testing::Test {
 protected:
  void SetUp() override {
    if (!TemporarySoftHsm::available()) GTEST_SKIP() << "this machine has no SoftHSM";
    softhsm_ = std::make_unique<TemporarySoftHsm>();
    library_ = ::dlopen(FAULTY_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    ASSERT_NE(library_, nullptr);
    control<decltype(&faulty_module_heal)>("faulty_module_heal")();
    spoil_ = control<decltype(&faulty_module_spoil)>("faulty_module_spoil");
    calls_ = control<decltype(&faulty_module_calls)>("faulty_module_calls");
    module_ = Module::load(FAULTY_MODULE).value();
    token_ = open_token().value();
    mac_ = token_->generate_secret_key(spec("mac", KeyPurpose::hmac_sha256)).value();
    wrap_ = token_->generate_secret_key(spec("wrap", KeyPurpose::aes256_wrap)).value();
    session_ = Session::open(*token_).value();
    sealed_ = seal(*session_, *wrap_, "plaintext", "aad").value();
  }

  template <class Function>
  Function control(const char* name) {
    const auto function = reinterpret_cast<Function>(::dlsym(library_, name));
    SR_CHECK(function != nullptr);
    return function;
  }
  static pkcs11::KeySpec spec(const std::string& name, KeyPurpose purpose) {
    return {.label = name, .id = copy_bytes(name), .purpose = purpose};
  }
  Result<std::unique_ptr<Token>> open_token() {
    return Token::open(*module_, TemporarySoftHsm::kLabel, secret_of(TemporarySoftHsm::kPin));
  }
  void spoil(const char* function, CK_RV rv) { spoil_(function, rv, 1, 0); }

  // Every Cryptoki function that a Session calls, with an operation that calls it.
  struct Use {
    const char* function;
    std::function<Result<void>()> operation;
  };
  std::vector<Use> uses() {
    const auto without_value = [](const auto& result) -> Result<void> {
      if (!result) return fail(result.error());
      return {};
    };
    const auto mac = [=, this] {
      return without_value(session_->hmac_sha256(*mac_, as_bytes("x")));
    };
    const auto encrypt = [=, this] {
      return without_value(seal(*session_, *wrap_, "plaintext", "aad"));
    };
    const auto decrypt = [=, this] { return without_value(unseal(*session_, *wrap_, sealed_)); };
    const auto random = [this] {
      std::array<std::byte, 8> out;
      return session_->random(out);
    };
    return {{"C_SignInit", mac},         {"C_Sign", mac},
            {"C_EncryptInit", encrypt},  {"C_Encrypt", encrypt},
            {"C_DecryptInit", decrypt},  {"C_Decrypt", decrypt},
            {"C_GenerateRandom", random}};
  }

  std::unique_ptr<TemporarySoftHsm> softhsm_;
  void* library_ = nullptr;
  decltype(&faulty_module_spoil) spoil_ = nullptr;
  decltype(&faulty_module_calls) calls_ = nullptr;
  std::unique_ptr<Module> module_;
  std::unique_ptr<Token> token_;
  std::optional<Session> session_;
  std::optional<KeyHandle> mac_, wrap_;
  SealedForTest sealed_;
};

TEST_F(HsmFault, LostSessionIsReplacedWhateverCallTellsOfIt) {
  for (const Use& use : uses()) {
    for (const CK_RV rv : {CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID,
                           CKR_TOKEN_NOT_PRESENT, CKR_USER_NOT_LOGGED_IN, CKR_OPERATION_ACTIVE}) {
      SCOPED_TRACE(testing::Message() << use.function << " " << std::hex << rv);
      const int opened = calls_("C_OpenSession");
      spoil(use.function, rv);
      const auto failed = use.operation();
      EXPECT_EQ(code_of(failed), ErrorCode::unavailable);
      EXPECT_EQ(failed.error().detail(), rv);
      EXPECT_TRUE(use.operation());
      EXPECT_EQ(calls_("C_OpenSession"), opened + 1);
    }
  }
}

TEST_F(HsmFault, SessionIsKeptAfterOtherFailures) {
  for (const Use& use : uses()) {
    if (use.function == std::string_view("C_Decrypt")) continue;  // is asked again, see below
    SCOPED_TRACE(use.function);
    const int opened = calls_("C_OpenSession");
    const int called = calls_(use.function);
    spoil(use.function, CKR_FUNCTION_FAILED);
    EXPECT_FALSE(use.operation());
    EXPECT_EQ(calls_(use.function), called + 1);  // nothing is repeated by itself
    EXPECT_EQ(calls_("C_OpenSession"), opened);
  }
}

// What modules say of a wrong tag, SoftHSM the first, and of much else.
constexpr std::array kRefusals{CKR_GENERAL_ERROR, CKR_ENCRYPTED_DATA_INVALID, CKR_FUNCTION_FAILED,
                               CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_HOST_MEMORY};

TEST_F(HsmFault, AnHsmThatOpensNothingIsNotTakenForAForgery) {
  for (const CK_RV rv : kRefusals) {
    for (const char* function : {"C_Decrypt", "C_DecryptInit"}) {
      SCOPED_TRACE(testing::Message() << function << " " << std::hex << rv);
      spoil_(function, rv, 100, 0);
      const auto opened = unseal(*session_, *wrap_, sealed_);
      EXPECT_NE(code_of(opened), ErrorCode::permission_denied);
      EXPECT_EQ(opened.error().detail(), rv);
      spoil_(function, CKR_OK, 0, 0);
      EXPECT_EQ(unseal(*session_, *wrap_, sealed_).value(), "plaintext");
    }
  }
}

TEST_F(HsmFault, AFailureThatPassesIsNotTakenForAForgery) {
  for (const CK_RV rv : kRefusals) {
    spoil("C_Decrypt", rv);
    EXPECT_EQ(unseal(*session_, *wrap_, sealed_).value(), "plaintext");
  }
}

// It costs one use of the key, and no more for those that follow; the token needs no generator.
TEST_F(HsmFault, AForgeryIsOneWhereTheHsmWorks) {
  SealedForTest forged = sealed_;
  forged.bytes.back() ^= std::byte{1};
  const int sealed = calls_("C_Encrypt");
  spoil_("C_GenerateRandom", CKR_RANDOM_NO_RNG, 100, 0);
  for (int i = 0; i < 3; ++i) {
    const int called = calls_("C_Decrypt");
    EXPECT_EQ(code_of(unseal(*session_, *wrap_, forged)), ErrorCode::permission_denied);
    EXPECT_EQ(calls_("C_Decrypt"), called + 3);
  }
  EXPECT_EQ(calls_("C_Encrypt"), sealed + 1);
  spoil_("C_GenerateRandom", CKR_OK, 0, 0);
}

TEST_F(HsmFault, AKeyThatMayNotOpenIsNotTakenForAForgery) {
  spoil_("C_DecryptInit", CKR_KEY_FUNCTION_NOT_PERMITTED, 100, 0);
  EXPECT_EQ(code_of(unseal(*session_, *wrap_, sealed_)), ErrorCode::unavailable);
  spoil_("C_DecryptInit", CKR_OK, 0, 0);
}

TEST_F(HsmFault, AnswersOfWrongSizeAreNotUsed) {
  spoil("C_Sign", CKR_OK);
  EXPECT_EQ(code_of(session_->hmac_sha256(*mac_, as_bytes("x"))), ErrorCode::corrupt);
  spoil("C_Encrypt", CKR_OK);
  EXPECT_EQ(code_of(seal(*session_, *wrap_, "plaintext", "aad")), ErrorCode::corrupt);
  spoil("C_Encrypt", CKR_OK);
  EXPECT_EQ(code_of(session_->check_value(*wrap_)), ErrorCode::corrupt);
  spoil_("C_Decrypt", CKR_OK, 100, 0);
  EXPECT_EQ(code_of(unseal(*session_, *wrap_, sealed_)), ErrorCode::unavailable);
  spoil_("C_Decrypt", CKR_OK, 0, 0);
}

TEST_F(HsmFault, CheckValueReportsWhatFails) {
  for (const char* function : {"C_GetAttributeValue", "C_EncryptInit", "C_Encrypt"}) {
    spoil(function, CKR_DEVICE_ERROR);
    EXPECT_EQ(code_of(session_->check_value(*wrap_)), ErrorCode::unavailable) << function;
    EXPECT_TRUE(session_->check_value(*wrap_)) << function;
  }
}

TEST_F(HsmFault, StaleHandleIsLookedUpAgain) {
  spoil("C_SignInit", CKR_KEY_HANDLE_INVALID);
  const int found = calls_("C_FindObjects");
  EXPECT_EQ(code_of(session_->hmac_sha256(*mac_, as_bytes("x"))), ErrorCode::unavailable);
  EXPECT_TRUE(session_->hmac_sha256(*mac_, as_bytes("x")));
  EXPECT_EQ(calls_("C_FindObjects"), found + 1);
}

TEST_F(HsmFault, KeyCallsReportWhatFails) {
  const auto import = [&] {
    return token_->import_session_key(KeyPurpose::hmac_sha256, std::array<std::byte, 32>{});
  };
  for (const CK_RV rv : {CKR_ACTION_PROHIBITED, CKR_DEVICE_ERROR}) {
    const ErrorCode code =
        rv == CKR_DEVICE_ERROR ? ErrorCode::unavailable : ErrorCode::permission_denied;
    SCOPED_TRACE(rv);
    spoil("C_GenerateKey", rv);
    EXPECT_EQ(code_of(token_->generate_secret_key(spec("x", KeyPurpose::aes256_wrap))), code);
    spoil("C_FindObjectsInit", rv);
    EXPECT_EQ(code_of(token_->generate_secret_key(spec("x", KeyPurpose::aes256_wrap))), code);
    spoil("C_FindObjectsInit", rv);
    EXPECT_EQ(code_of(token_->find_key("mac")), code);
    spoil("C_FindObjects", rv);
    EXPECT_EQ(code_of(token_->find_key("mac")), code);
    spoil("C_CopyObject", rv);
    EXPECT_EQ(code_of(token_->copy_to_session(*mac_)), code);
    spoil("C_CreateObject", rv);
    EXPECT_EQ(code_of(import()), code);
    spoil("C_GetAttributeValue", rv);
    EXPECT_EQ(code_of(token_->attributes(*mac_)), code);
    spoil("C_DestroyObject", rv);
    EXPECT_EQ(code_of(token_->destroy_key(*mac_)), code);
    EXPECT_TRUE(session_->hmac_sha256(*mac_, as_bytes("x"))) << "a failed call destroyed the key";
  }
}

// It has ended with its session. A token's own object may be there under another handle.
TEST_F(HsmFault, ACopyWhoseHandleIsStaleIsDestroyed) {
  const auto copy = token_->copy_to_session(*mac_);
  ASSERT_TRUE(copy);
  spoil("C_DestroyObject", CKR_OBJECT_HANDLE_INVALID);
  EXPECT_TRUE(token_->destroy_key(*copy));
  EXPECT_EQ(code_of(session_->hmac_sha256(*copy, as_bytes("x"))), ErrorCode::gone);
  spoil("C_DestroyObject", CKR_OBJECT_HANDLE_INVALID);
  EXPECT_FALSE(token_->destroy_key(*mac_));
  EXPECT_TRUE(token_->find_key("mac"));
}

TEST_F(HsmFault, TokenCallsReportWhatFails) {
  spoil("C_GetTokenInfo", CKR_DEVICE_REMOVED);
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  EXPECT_TRUE(token_->check());
  spoil("C_GetMechanismInfo", CKR_DEVICE_ERROR);
  EXPECT_EQ(code_of(token_->supports(CKM_AES_GCM)), ErrorCode::unavailable);
}

TEST_F(HsmFault, OpenTellsWhyALoginFails) {
  session_.reset();
  token_.reset();
  for (const CK_RV rv : {CKR_PIN_LOCKED, CKR_PIN_EXPIRED, CKR_USER_PIN_NOT_INITIALIZED}) {
    spoil("C_Login", rv);
    const auto refused = open_token();
    EXPECT_EQ(code_of(refused), ErrorCode::permission_denied);
    EXPECT_EQ(refused.error().detail(), rv);
  }
  spoil("C_Login", CKR_DEVICE_ERROR);
  EXPECT_EQ(code_of(open_token()), ErrorCode::unavailable);
  spoil("C_OpenSession", CKR_DEVICE_ERROR);
  EXPECT_EQ(code_of(open_token()), ErrorCode::unavailable);
  spoil("C_GetSlotList", CKR_GENERAL_ERROR);
  EXPECT_EQ(code_of(open_token()), ErrorCode::unavailable);
  EXPECT_TRUE(open_token());
}

TEST_F(HsmFault, PoolSaysWhenTheTokenHasNoMoreSessions) {
  spoil("C_OpenSession", CKR_SESSION_COUNT);
  EXPECT_EQ(code_of(SessionPool::open(*token_, 2)), ErrorCode::exhausted);
}

TEST_F(HsmFault, ThreadsWorkOnWhileSessionsAreLost) {
  constexpr int kThreads = 4, kOperations = 500, kFaults = 50;
  const auto copy = token_->copy_to_session(*mac_);
  ASSERT_TRUE(copy);
  const auto pool = SessionPool::open(*token_, 2);
  ASSERT_TRUE(pool);
  std::atomic<int> succeeded = 0, lost = 0;
  spoil("C_Sign", CKR_DEVICE_ERROR);
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < kOperations; ++n) {
          const auto mac = (*pool)->lease()->hmac_sha256(*copy, as_bytes("x"));
          if (mac) ++succeeded;
          if (!mac && mac.error().code() == ErrorCode::unavailable) ++lost;
        }
      });
    }
    for (int n = 0; n < kFaults; ++n) {
      spoil("C_Sign", CKR_DEVICE_ERROR);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  EXPECT_EQ(succeeded + lost, kThreads * kOperations);
  EXPECT_GT(lost, 0);
  EXPECT_LE(lost, kFaults + 1);
  spoil_("C_Sign", CKR_OK, 0, 0);  // the last fault may have found nobody at work
  EXPECT_TRUE((*pool)->lease()->hmac_sha256(*copy, as_bytes("x")));
}

TEST_F(HsmFault, AbsentTokenIsAskedForOncePerInterval) {
  const auto slot = module_->find_token(TemporarySoftHsm::kLabel)->id;
  ASSERT_EQ(module_->functions().C_CloseAllSessions(slot), CKR_OK);
  const int asked = calls_("C_GetSlotList");
  spoil_("C_GetSlotList", CKR_DEVICE_REMOVED, 100, 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  EXPECT_EQ(calls_("C_GetSlotList"), asked + 1);
  spoil_("C_GetSlotList", CKR_OK, 0, 0);
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  std::this_thread::sleep_for(kAfterLoginInterval);
  EXPECT_TRUE(token_->check());
  EXPECT_FALSE(session_->hmac_sha256(*mac_, as_bytes("x")));  // its old session is lost
  EXPECT_TRUE(session_->hmac_sha256(*mac_, as_bytes("x")));
}

TEST_F(HsmFault, PinRefusedInALaterLoginIsForgotten) {
  const auto slot = module_->find_token(TemporarySoftHsm::kLabel)->id;
  ASSERT_EQ(module_->functions().C_CloseAllSessions(slot), CKR_OK);
  spoil("C_Login", CKR_PIN_INCORRECT);
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  const int logins = calls_("C_Login");
  std::this_thread::sleep_for(kAfterLoginInterval);
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  // Of a ciphertext it says nothing.
  EXPECT_EQ(code_of(unseal(*session_, *wrap_, sealed_)), ErrorCode::unavailable);
  EXPECT_EQ(code_of(unseal(*session_, *wrap_, sealed_)), ErrorCode::unavailable);
  EXPECT_EQ(calls_("C_Login"), logins);
}

TEST_F(HsmFault, TheLastTryOfThePinIsLeftToAPersonInALaterLoginToo) {
  const auto slot = module_->find_token(TemporarySoftHsm::kLabel)->id;
  ASSERT_EQ(module_->functions().C_CloseAllSessions(slot), CKR_OK);
  const std::filesystem::path wrong_pins = softhsm_->directory() / "wrong-pins";
  std::ofstream(wrong_pins) << "..";  // another's: the module counts to three
  const int logins = calls_("C_Login");
  EXPECT_EQ(code_of(token_->check()), ErrorCode::unavailable);
  EXPECT_EQ(calls_("C_Login"), logins);
  ASSERT_TRUE(std::filesystem::remove(wrong_pins));  // a login with the vendor's tool
  std::this_thread::sleep_for(kAfterLoginInterval);
  EXPECT_TRUE(token_->check());
  EXPECT_EQ(calls_("C_Login"), logins + 1);
}

TEST_F(HsmFault, SlotsAreBounded) {
  spoil_("C_GetSlotList", CKR_OK, 1, Module::kSlotsMax + 1);
  EXPECT_EQ(code_of(module_->slots()), ErrorCode::exhausted);
}

TEST_F(HsmFault, SlotWhoseTokenWasPulledIsLeftOut) {
  const std::size_t all = module_->slots()->size();
  spoil("C_GetTokenInfo", CKR_TOKEN_NOT_PRESENT);
  EXPECT_EQ(module_->slots()->size(), all - 1);
}

TEST_F(HsmFault, LoadReportsWhatFailsAndEndsWhatItBegan) {
  session_.reset();
  token_.reset();
  module_.reset();
  const auto finalized = [&] { return calls_("C_Finalize"); };
  const int before = finalized();
  spoil("C_Initialize", CKR_GENERAL_ERROR);
  EXPECT_EQ(code_of(Module::load(FAULTY_MODULE)), ErrorCode::unavailable);
  spoil("C_Initialize", CKR_ARGUMENTS_BAD);
  EXPECT_EQ(code_of(Module::load(FAULTY_MODULE)), ErrorCode::invalid_argument);
  spoil("C_Initialize", CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_EQ(code_of(Module::load(FAULTY_MODULE)), ErrorCode::conflict);
  EXPECT_EQ(finalized(), before);
  spoil("C_GetInfo", CKR_GENERAL_ERROR);
  EXPECT_EQ(code_of(Module::load(FAULTY_MODULE)), ErrorCode::unavailable);
  EXPECT_EQ(finalized(), before + 1);
}

TEST_F(HsmFault, InitializeReportsWhatFails) {
  const auto blank = [&] { return module_->slots()->back(); };
  ASSERT_FALSE(blank().token.initialized);
  const auto initialize = [&] {
    return Token::initialize(*module_, blank().id, "new", secret_of("so-pin"), secret_of("pin-1"));
  };
  spoil("C_InitToken", CKR_PIN_LEN_RANGE);
  EXPECT_EQ(code_of(initialize()), ErrorCode::permission_denied);
  spoil("C_InitPIN", CKR_DEVICE_ERROR);
  EXPECT_EQ(code_of(initialize()), ErrorCode::unavailable);
}

// Wrong order of destruction is a bug that would crash inside the module, sometimes: it aborts,
// always.
TEST_F(HsmFault, DestroyingInTheWrongOrderAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(token_.reset(), "check failed: sessions_ == 0");
  EXPECT_DEATH(module_.reset(), "check failed: tokens_ == 0");
  EXPECT_DEATH(
      {
        auto pool = SessionPool::open(*token_, 1);
        const pkcs11::Lease lease = (*pool)->lease();
        pool->reset();
      },
      "check failed: free_.size\\(\\) == size_");
}

}  // namespace
}  // namespace strongroom::test

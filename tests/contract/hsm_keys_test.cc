// The contract for modules, tokens and the keys in them.
#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "hsm_fixture.h"

namespace strongroom::test {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Module;
using pkcs11::Session;
using pkcs11::Token;

class HsmKeys : public HsmTest {};
INSTANTIATE_TEST_SUITE_P(Modules, HsmKeys, testing::Values(kSoftHsm.data(), kNss.data()),
                         [](const auto& hsm) { return std::string(hsm.param); });

TEST_P(HsmKeys, ModuleAndTokenSayWhatTheyAre) {
  EXPECT_FALSE(module_->info().manufacturer.empty());
  EXPECT_TRUE(module_->info().cryptoki_version.starts_with("2.") ||
              module_->info().cryptoki_version.starts_with("3."));
  EXPECT_EQ(token_->info().label, hsm_->label());
  EXPECT_FALSE(token_->info().model.empty());
  EXPECT_FALSE(token_->info().serial.empty());
  EXPECT_TRUE(token_->info().initialized);
  EXPECT_TRUE(token_->info().user_pin_set);
  EXPECT_TRUE(token_->check());
}

TEST_P(HsmKeys, ModuleRunsOnceAtATime) {
  EXPECT_EQ(code_of(Module::load(hsm_->module_path(), hsm_->options())), ErrorCode::conflict);
  EXPECT_TRUE(token_->check());  // the refused second run did not end the first
}

TEST_P(HsmKeys, ModuleRunsAgainAfterItStopped) {
  mac_key();
  token_.reset();
  module_.reset();
  load();
  open_token();
  EXPECT_TRUE(token_->find_key("mac"));
}

TEST_P(HsmKeys, OpenRefusesAWrongPin) {
  token_.reset();
  const auto refused = open_with("not-the-pin");
  EXPECT_EQ(code_of(refused), ErrorCode::permission_denied);
  EXPECT_EQ(refused.error().what().find(hsm_->label()), std::string_view::npos);
  EXPECT_TRUE(open_with(hsm_->pin()));
}

TEST_P(HsmKeys, OpenRefusesASecondLoginOfTheProcess) {
  EXPECT_EQ(code_of(open_with(hsm_->pin())), ErrorCode::conflict);
  // Had it been let in, any PIN would have opened the token.
  EXPECT_FALSE(open_with("not-the-pin"));
  EXPECT_TRUE(token_->check());
}

TEST_P(HsmKeys, ItsKeysAreListed) {
  EXPECT_TRUE(token_->key_labels()->empty());
  mac_key();
  for (int i = 0; i < 70; ++i) {  // more than are asked for at once
    const std::string label = "key " + std::to_string(i);
    const auto id = as_bytes(label);
    ASSERT_TRUE(
        token_->generate_secret_key({label, {id.begin(), id.end()}, KeyPurpose::hmac_sha256}));
  }
  const std::vector<std::string> listed = *token_->key_labels();
  const std::set<std::string> labels(listed.begin(), listed.end());
  EXPECT_EQ(listed.size(), 71U);
  EXPECT_EQ(labels.size(), 71U);
  EXPECT_TRUE(labels.contains("mac"));
}

TEST_P(HsmKeys, OpenMissesAnUnknownToken) {
  EXPECT_EQ(code_of(Token::open(*module_, "no-such-token", secret_of("x"))), ErrorCode::not_found);
}

TEST_P(HsmKeys, InitializeNeverTouchesATokenInUse) {
  const auto done =
      Token::initialize(*module_, slot(), "other", secret_of("so"), secret_of("user"));
  EXPECT_EQ(code_of(done), ErrorCode::conflict);
  EXPECT_TRUE(token_->check());
}

TEST_P(HsmKeys, InitializeRefusesALabelOfWrongLength) {
  for (const auto& label : {std::string(), std::string(33, 'x')}) {
    EXPECT_EQ(code_of(Token::initialize(*module_, slot(), label, secret_of("s"), secret_of("u"))),
              ErrorCode::invalid_argument);
  }
}

TEST_P(HsmKeys, GeneratedKeyIsFoundAgain) {
  REQUIRE_MECHANISM(aes_key_gen);
  const KeyHandle made = wrapping_key();
  const auto found = token_->find_key("wrap");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, made);
}

TEST_P(HsmKeys, GeneratedKeyNeverLeavesTheToken) {
  REQUIRE_MECHANISM(aes_key_gen);
  const KeyHandle key = wrapping_key();
  const auto attributes = token_->attributes(key);
  ASSERT_TRUE(attributes) << attributes.error().what() << std::hex << attributes.error().detail();
  EXPECT_EQ(attributes->label, "wrap");
  EXPECT_EQ(attributes->id, copy_bytes("wrap"));
  EXPECT_EQ(attributes->purpose, KeyPurpose::aes256_wrap);
  EXPECT_TRUE(attributes->on_token);
  EXPECT_TRUE(attributes->sensitive);
  EXPECT_FALSE(attributes->extractable);
  EXPECT_EQ(attributes->made_on_token, GetParam() != kNss);
}

// Asks the module itself, past our interface, for the clear value.
TEST_P(HsmKeys, ValueOfAKeyCannotBeRead) {
  REQUIRE_MECHANISM(aes_key_gen);
  wrapping_key();
  CK_SESSION_HANDLE session = 0;
  ASSERT_EQ(raw().C_OpenSession(slot(), CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_OK);
  std::string label = "wrap";
  CK_ATTRIBUTE wanted{CKA_LABEL, label.data(), label.size()};
  ASSERT_EQ(raw().C_FindObjectsInit(session, &wanted, 1), CKR_OK);
  CK_OBJECT_HANDLE object = 0;
  CK_ULONG count = 0;
  ASSERT_EQ(raw().C_FindObjects(session, &object, 1, &count), CKR_OK);
  ASSERT_EQ(count, 1U);
  raw().C_FindObjectsFinal(session);
  std::array<std::byte, 64> value{};
  CK_ATTRIBUTE attribute{CKA_VALUE, value.data(), value.size()};
  EXPECT_EQ(raw().C_GetAttributeValue(session, object, &attribute, 1), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(value, (std::array<std::byte, 64>{}));
}

TEST_P(HsmKeys, GenerateRefusesATakenLabelOrId) {
  REQUIRE_MECHANISM(aes_key_gen);
  wrapping_key();
  pkcs11::KeySpec twin = spec("wrap", KeyPurpose::aes256_wrap);
  EXPECT_EQ(code_of(token_->generate_secret_key(twin)), ErrorCode::conflict);
  twin.label = "other";
  EXPECT_EQ(code_of(token_->generate_secret_key(twin)), ErrorCode::conflict);
  twin.id = copy_bytes("other");
  EXPECT_TRUE(token_->generate_secret_key(twin));
}

TEST_P(HsmKeys, GenerateRefusesALabelOrIdOfWrongLength) {
  const auto generate_with = [&](std::size_t label, std::size_t id) {
    return code_of(token_->generate_secret_key(
        {.label = std::string(label, 'x'), .id = std::vector<std::byte>(id)}));
  };
  EXPECT_EQ(generate_with(0, 1), ErrorCode::invalid_argument);
  EXPECT_EQ(generate_with(pkcs11::kKeyLabelMax + 1, 1), ErrorCode::invalid_argument);
  EXPECT_EQ(generate_with(1, 0), ErrorCode::invalid_argument);
  EXPECT_EQ(generate_with(1, pkcs11::kKeyIdMax + 1), ErrorCode::invalid_argument);
}

TEST_P(HsmKeys, FindMissesAnUnknownKey) {
  EXPECT_EQ(code_of(token_->find_key("none")), ErrorCode::not_found);
}

TEST_P(HsmKeys, FindRefusesAnAmbiguousLabel) {
  REQUIRE_MECHANISM(aes_key_gen);
  CK_SESSION_HANDLE session = 0;
  ASSERT_EQ(
      raw().C_OpenSession(slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
      CKR_OK);
  for (char twin : {'1', '2'}) {
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG bytes = 32;
    CK_ATTRIBUTE attributes[] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_VALUE_LEN, &bytes, sizeof bytes},
                                 {CKA_ID, &twin, 1},
                                 {CKA_LABEL, const_cast<char*>("twin"), 4}};
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE object = 0;
    ASSERT_EQ(raw().C_GenerateKey(session, &mechanism, attributes, 4, &object), CKR_OK);
  }
  EXPECT_EQ(code_of(token_->find_key("twin")), ErrorCode::conflict);
}

TEST_P(HsmKeys, DestroyedKeyIsGoneWithItsCopies) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  const auto copy = token_->copy_to_session(key);
  ASSERT_TRUE(copy);
  Session use = session();
  ASSERT_TRUE(use.hmac_sha256(*copy, as_bytes("x")));
  ASSERT_TRUE(token_->destroy_key(key));
  EXPECT_EQ(code_of(use.hmac_sha256(key, as_bytes("x"))), ErrorCode::gone);
  EXPECT_EQ(code_of(use.hmac_sha256(*copy, as_bytes("x"))), ErrorCode::gone);
  EXPECT_EQ(code_of(token_->attributes(key)), ErrorCode::gone);
  EXPECT_EQ(code_of(token_->destroy_key(key)), ErrorCode::gone);
  EXPECT_EQ(code_of(token_->find_key("mac")), ErrorCode::not_found);
}

TEST_P(HsmKeys, DestroyedCopyLeavesItsKey) {
  REQUIRE_MECHANISM(sha256_hmac);
  const KeyHandle key = mac_key();
  const auto copy = token_->copy_to_session(key);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(token_->destroy_key(*copy));
  EXPECT_EQ(code_of(token_->destroy_key(*copy)), ErrorCode::gone);
  EXPECT_EQ(code_of(session().hmac_sha256(*copy, as_bytes("x"))), ErrorCode::gone);
  EXPECT_TRUE(session().hmac_sha256(key, as_bytes("x")));
}

TEST(HsmModuleTest, LoadMissesAnAbsentFile) {
  EXPECT_EQ(code_of(Module::load("/nonexistent/module.so")), ErrorCode::not_found);
}

TEST(HsmModuleTest, LoadRefusesWhatIsNoLibrary) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "text.so";
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(code_of(Module::load(path)), ErrorCode::invalid_argument);
}

TEST(HsmModuleTest, LoadRefusesALibraryThatIsNoModule) {
  for (const char* libm : {"/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"}) {
    if (std::filesystem::exists(libm)) {
      EXPECT_EQ(code_of(Module::load(libm)), ErrorCode::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace strongroom::test

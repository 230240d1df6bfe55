// SoftHSM and OpenSSL inside vaultd's rights. The list of system calls was made for these
// libraries; a new version that wants another call shows here first.
#include <gtest/gtest.h>

#include <cstdlib>

#include "crypto/warm_up.h"
#include "pkcs11/token.h"
#include "sandbox/child_for_test.h"
#include "sandbox/vaultd.h"
#include "support/softhsm.h"

namespace strongroom {
namespace {

using sandbox::Findings;

void expect_key_life(Findings& findings, pkcs11::Token& token) {
  const auto key = token.generate_secret_key(
      {.label = "inside", .id = {std::byte{1}}, .purpose = pkcs11::KeyPurpose::aes256_wrap});
  if (!key) return findings.expect(false, "generate a key");
  findings.expect(token.copy_to_session(*key).has_value(), "copy the key");
  findings.expect(token.destroy_key(*key).has_value(), "destroy the key");
}

class SoftHsmInsideTest : public sandbox::SandboxFixture {};

TEST_F(SoftHsmInsideTest, MakesCopiesAndDestroysKeys) {
  if (!test::TemporarySoftHsm::available()) GTEST_SKIP() << "SoftHSM is not installed";
  const sandbox::TemporaryFolder folder;
  const auto inside = [&folder](Findings& findings) {
    // Made in the child, because secret memory does not outlive a fork; in the folder that the
    // parent removes.
    ::setenv("TMPDIR", folder.path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
    const test::TemporarySoftHsm hsm;
    const auto module = pkcs11::Module::load(hsm.module_path(), {});
    if (!module) return findings.expect(false, "load");
    crypto::warm_up();
    const auto entered = sandbox::enter_vaultd({.token_folder = hsm.directory().string()});
    findings.expect(entered.has_value(), "enter");
    const auto token = pkcs11::Token::open(**module, hsm.kLabel, test::secret_of(hsm.kPin));
    if (!token) return findings.expect(false, "log in");
    expect_key_life(findings, **token);
  };
  EXPECT_EQ(sandbox::in_child(inside), "");
}

}  // namespace
}  // namespace strongroom

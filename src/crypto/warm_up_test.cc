#include "crypto/warm_up.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>

#include "base/encoding.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/mac.h"
#include "crypto/signer.h"

#ifndef __has_feature
#define __has_feature(feature) 0  // GCC 12
#endif

namespace strongroom::crypto {
namespace {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Uses everything in a process that can open no file; the exit code names what failed.
int works_without_files() {
  (void)secret_memory_level();  // makes the arena, for which memfd_secret opens a descriptor
  warm_up();
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
  SystemRandom random;
  const auto aead = Aead::create(*random_secret(random, Aead::kKeySize), 1);
  const auto sealed = aead->seal(random, as_bytes("text"), {});
  if (!sealed || !aead->open(*sealed, {})) return 2;
  if (sha256({}) == sha256(as_bytes("text")) || sha3_512({}) == sha3_512(as_bytes("text")))
    return 3;
  if (hmac_sha256({}, {}) == hmac_sha256({}, as_bytes("text"))) return 4;
  if (!hkdf_sha256({}, {}, {}, 32) || !pbkdf2_sha256({}, {}, 1'000, 32)) return 5;
  const auto signer = Ed25519Signer::generate(random);
  return ed25519_verify(signer->public_key(), {}, signer->sign({})) ? 0 : 6;
}

TEST(WarmUpTest, NothingIsOpenedAfterwards) {
  if (kSanitized) GTEST_SKIP() << "UBSan opens pipes to look at objects";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(works_without_files()), ::testing::ExitedWithCode(0), "");
}

TEST(WarmUpTest, MayBeRepeated) {
  warm_up();
  warm_up();
}

}  // namespace
}  // namespace strongroom::crypto

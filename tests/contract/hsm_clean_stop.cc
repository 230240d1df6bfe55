// hsm_clean_stop NAME: loads the module NAME, works with it on four threads, stops them, finalizes
// and leaves by exit(). Exit code 0 says that all of it went well; a module that is torn down in
// the wrong order (a thread still inside, OpenSSL gone before it) crashes instead.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"
#include "hsm_under_test.h"
#include "pkcs11/session_pool.h"
#include "support/softhsm.h"

namespace strongroom {
namespace {

constexpr int kThreads = 4;

Result<void> run(const test::HsmUnderTest& hsm) {
  SR_TRY(const auto module, pkcs11::Module::load(hsm.module_path(), hsm.options()));
  SR_TRY(const auto token, pkcs11::Token::open(*module, hsm.label(), test::secret_of(hsm.pin())));
  SR_TRY(const auto key,
         token->generate_secret_key(
             {.label = "stop", .id = {std::byte{1}}, .purpose = pkcs11::KeyPurpose::hmac_sha256}));
  SR_TRY(const auto pool, pkcs11::SessionPool::open(*token, kThreads));
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> workers;
  workers.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    workers.emplace_back([&] {
      pkcs11::Lease session = pool->lease();
      while (!stop) failures += session->hmac_sha256(key, as_bytes("x")) ? 0 : 1;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stop = true;
  workers.clear();  // joins
  if (failures != 0) return fail({ErrorCode::unavailable, "an operation failed"});
  return {};
}

}  // namespace
}  // namespace strongroom

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto hsm = strongroom::test::make_hsm(argv[1]);
  if (hsm == nullptr) return 3;
  return strongroom::run(*hsm) ? 0 : 1;
}

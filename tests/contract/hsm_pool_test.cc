// The contract for sharing sessions among threads, and for stopping.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "hsm_fixture.h"

namespace strongroom::test {
namespace {

using pkcs11::KeyHandle;
using pkcs11::Lease;
using pkcs11::SessionPool;

class HsmPool : public HsmTest {};
INSTANTIATE_TEST_SUITE_P(Modules, HsmPool, testing::Values(kSoftHsm.data(), kNss.data()),
                         [](const auto& hsm) { return std::string(hsm.param); });

TEST_P(HsmPool, SharesTwoSessionsAmongEightThreads) {
  REQUIRE_MECHANISM(sha256_hmac);
  constexpr int kThreads = 8, kOperations = 1000;
  const KeyHandle key = mac_key();
  const auto pool = SessionPool::open(*token_, 2);
  ASSERT_TRUE(pool);
  const auto expected = (*pool)->lease()->hmac_sha256(key, as_bytes("x")).value();
  std::atomic<int> out = 0, out_max = 0, wrong = 0;
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < kOperations; ++n) {
          Lease session = (*pool)->lease();
          const int now = ++out;
          for (int max = out_max; now > max && !out_max.compare_exchange_weak(max, now);) {
          }
          const auto mac = session->hmac_sha256(key, as_bytes("x"));
          if (!mac || *mac != expected) ++wrong;
          --out;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(out_max, 2);
}

TEST_P(HsmPool, LeaseWaitsForASession) {
  const auto pool = SessionPool::open(*token_, 1);
  ASSERT_TRUE(pool);
  std::optional<Lease> held = (*pool)->try_lease();
  ASSERT_TRUE(held);
  EXPECT_FALSE((*pool)->try_lease());
  auto waiting = std::async(std::launch::async, [&] { Lease lease = (*pool)->lease(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  held.reset();
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE((*pool)->try_lease());
}

TEST_P(HsmPool, RefusesAWrongSize) {
  EXPECT_EQ(code_of(SessionPool::open(*token_, 0)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(SessionPool::open(*token_, SessionPool::kSessionsMax + 1)),
            ErrorCode::invalid_argument);
}

TEST_P(HsmPool, StopsCleanlyAfterThreadsWorked) {
  for (int i = 0; i < 10; ++i) {
    std::string program = HSM_CLEAN_STOP, name = GetParam();
    std::array<char*, 3> arguments = {program.data(), name.data(), nullptr};
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ),
              0);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(status, 0) << "run " << i;
  }
}

}  // namespace
}  // namespace strongroom::test

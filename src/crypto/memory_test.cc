#include "crypto/memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "crypto/memory_scan.h"

namespace strongroom::crypto {
namespace {

constexpr std::size_t kBlock = 65'536;
// Far into the block, where neither free lists nor the next small blocks are written.
constexpr std::size_t kOffset = 49'152;

constexpr testing::MaskedPattern kPattern = {
    std::byte{0x9e}, std::byte{0x37}, std::byte{0x79}, std::byte{0xb9},
    std::byte{0x7f}, std::byte{0x4a}, std::byte{0x7c}, std::byte{0x15},
    std::byte{0xf3}, std::byte{0x9c}, std::byte{0xc0}, std::byte{0x60},
    std::byte{0x5c}, std::byte{0xed}, std::byte{0xc8}, std::byte{0x34}};

void plant(void* block) {
  auto* bytes = static_cast<std::byte*>(block) + kOffset;
  for (std::size_t i = 0; i < kPattern.size(); ++i) bytes[i] = kPattern[i] ^ testing::kMask;
}

std::size_t found() { return testing::count_in_memory(kPattern); }

// Exit codes name the step that failed; the tests run these in a process of their own, because the
// allocator can be set only before OpenSSL's first use.
int free_wipes() {
  if (!install_wiping_allocator()) return 1;
  void* block = OPENSSL_malloc(kBlock);
  plant(block);
  if (found() != 1) return 2;
  OPENSSL_free(block);
  return found() == 0 ? 0 : 3;
}

int realloc_wipes() {
  if (!install_wiping_allocator()) return 1;
  void* block = OPENSSL_malloc(kBlock);
  plant(block);
  void* grown = OPENSSL_realloc(block, kBlock + kOffset);
  if (found() != 1) return 2;  // moved, not copied
  void* shrunk = OPENSSL_realloc(grown, kOffset);
  if (found() != 0) return 3;
  if (OPENSSL_realloc(shrunk, 0) != nullptr) return 4;
  void* fresh = OPENSSL_realloc(nullptr, kBlock);
  if (fresh == nullptr) return 5;
  OPENSSL_free(fresh);
  OPENSSL_free(nullptr);
  return 0;
}

int plain_free_does_not_wipe() {
  void* block = std::malloc(kBlock);
  void* guard = std::malloc(kBlock);  // else the block goes back to the top of the heap
  plant(block);
  void* volatile kept = block;  // hides from the compiler that the pattern is never read
  std::free(kept);
  const std::size_t left = found();
  std::free(guard);
  return left == 1 ? 0 : 1;
}

int late_install_is_refused() {
  OPENSSL_free(OPENSSL_malloc(1));
  const auto installed = install_wiping_allocator();
  return !installed && installed.error().code() == ErrorCode::conflict ? 0 : 1;
}

class MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(MemoryTest, FreeWipes) {
  EXPECT_EXIT(std::_Exit(free_wipes()), ::testing::ExitedWithCode(0), "");
}
TEST_F(MemoryTest, ReallocWipesWhatItLeaves) {
  EXPECT_EXIT(std::_Exit(realloc_wipes()), ::testing::ExitedWithCode(0), "");
}
TEST_F(MemoryTest, ScanFindsWhatAPlainFreeLeaves) {
  EXPECT_EXIT(std::_Exit(plain_free_does_not_wipe()), ::testing::ExitedWithCode(0), "");
}
TEST_F(MemoryTest, InstallAfterFirstUseIsAConflict) {
  EXPECT_EXIT(std::_Exit(late_install_is_refused()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace strongroom::crypto

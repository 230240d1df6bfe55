#include "crypto/random.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>
#include <vector>

namespace strongroom::crypto {
namespace {

using Block = std::array<std::byte, 16>;

Block draw() {
  SystemRandom random;
  Block block;
  random.fill(block);
  return block;
}

class FixedClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 1'700'000'000'123'456; }
};

TEST(RandomTest, FillNeverRepeats) {
  std::set<Block> seen;
  for (int i = 0; i < 2'000; ++i) seen.insert(draw());  // several pages
  EXPECT_EQ(seen.size(), 2'000u);
}

TEST(RandomTest, FillServesAnySize) {
  SystemRandom random;
  for (const std::size_t size : {0u, 1u, 255u, 256u, 257u, 4'096u, 100'000u}) {
    std::vector<std::byte> bytes(size);
    random.fill(bytes);
    if (size > 100) {
      const std::set<std::byte> values(bytes.begin(), bytes.end());
      EXPECT_GT(values.size(), 32u) << size;
    }
  }
}

TEST(RandomTest, FillSetsEveryByte) {
  SystemRandom random;
  std::array<std::byte, 100> seen{};
  for (int i = 0; i < 16; ++i) {
    std::array<std::byte, 100> bytes{};
    random.fill(bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) seen[at] |= bytes[at];
  }
  for (const std::byte byte : seen) EXPECT_NE(byte, std::byte{0});
}

TEST(RandomTest, ThreadsDrawDifferentBytes) {
  std::array<Block, 4> drawn;
  std::vector<std::thread> threads;
  for (Block& block : drawn) threads.emplace_back([&block] { block = draw(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<Block>(drawn.begin(), drawn.end()).size(), drawn.size());
}

TEST(RandomTest, ForkedChildDrawsDifferentBytes) {
  (void)draw();  // the page is filled before the fork
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Block block = draw();
    const bool sent = ::write(ends[1], block.data(), block.size()) == std::ssize(block);
    ::_exit(sent ? 0 : 1);
  }
  const Block ours = draw();
  Block theirs;
  EXPECT_EQ(::read(ends[0], theirs.data(), theirs.size()), std::ssize(theirs));
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_NE(ours, theirs);
}

TEST(RandomTest, RandomSecretHasItsSizeAndContent) {
  SystemRandom random;
  const auto first = random_secret(random, 32);
  const auto second = random_secret(random, 32);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->size(), 32u);
  EXPECT_FALSE(equal_constant_time(first->reveal(), second->reveal()));
  EXPECT_EQ(random_secret(random, SecretBytes::kSizeMax + 1).error().code(), ErrorCode::too_large);
}

TEST(RandomTest, NewIdCarriesTheClocksMillisecond) {
  SystemRandom random;
  const FixedClock clock;
  const TokenId token = new_token_id(random, clock);
  EXPECT_EQ(uuid_text(token.bytes).substr(0, 13), "018bcfe5-687b");  // 1'700'000'000'123 ms
  EXPECT_EQ(uuid_text(token.bytes)[14], '7');
  EXPECT_NE(new_token_id(random, clock), token);
  EXPECT_NE(new_operation_id(random, clock), new_operation_id(random, clock));
  EXPECT_NE(new_entry_id(random, clock), new_entry_id(random, clock));
}

}  // namespace
}  // namespace strongroom::crypto

#include "crypto/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

// NIST CSRC, "Cryptographic Standards and Guidelines: examples with intermediate values".
constexpr std::string_view kTwoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

TEST(HashTest, Sha256GivesTheStandardsValues) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256(as_bytes(kTwoBlocks))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(HashTest, Sha3GivesTheStandardsValues) {
  EXPECT_EQ(hex(sha3_512({})),
            "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
            "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26");
  EXPECT_EQ(hex(sha3_512(as_bytes("abc"))),
            "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
            "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
}

TEST(HashTest, PiecesGiveTheDigestOfTheWhole) {
  const std::string text(1'000, 'x');
  Sha256 hash;
  for (std::size_t at = 0; at < text.size(); at += 37) {
    hash.update(as_bytes(std::string_view(text).substr(at, 37)));
  }
  EXPECT_EQ(hash.finish(), sha256(as_bytes(text)));
}

TEST(HashTest, FinishStartsAnew) {
  Sha256 hash;
  (void)hash.update(as_bytes("something else")).finish();
  EXPECT_EQ(hash.update(as_bytes("abc")).finish(), sha256(as_bytes("abc")));
}

TEST(HashTest, MovingKeepsWhatWasHashed) {
  Sha256 first;
  first.update(as_bytes("a"));
  Sha256 second = std::move(first);
  second.update(as_bytes("b"));
  Sha256 third;
  third = std::move(second);
  EXPECT_EQ(third.update(as_bytes("c")).finish(), sha256(as_bytes("abc")));
}

TEST(HashTest, OneShotDoesNotDisturbAnIncrementalHash) {
  Sha256 hash;
  hash.update(as_bytes("ab"));
  (void)sha256(as_bytes("between"));
  EXPECT_EQ(hash.update(as_bytes("c")).finish(), sha256(as_bytes("abc")));
}

TEST(HashTest, ThreadsHashAtTheSameTime) {
  const Sha256Digest expected = sha256(as_bytes(kTwoBlocks));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&expected] {
      for (int round = 0; round < 1'000; ++round) EXPECT_EQ(sha256(as_bytes(kTwoBlocks)), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace strongroom::crypto

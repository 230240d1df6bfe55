#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>

#include "base/encoding.h"
#include "crypto/aead_primitive.h"
#include "crypto/context.h"
#include "crypto/memory_scan.h"

namespace strongroom::crypto {
namespace {

constexpr std::string_view kPlaintext = "a secret";

Aead new_aead(std::uint32_t key_version = 7) {
  SystemRandom random;
  return *Aead::create(*random_secret(random, Aead::kKeySize), key_version);
}

Sealed seal(const Aead& aead, std::string_view plaintext, std::string_view data = "data") {
  SystemRandom random;
  return *aead.seal(random, as_bytes(plaintext), as_bytes(data));
}

std::vector<std::byte> bytes_of(const Sealed& sealed) {
  return {sealed.bytes().begin(), sealed.bytes().end()};
}

ErrorCode error_of(const Result<SecretBytes>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::corrupt : result.error().code();
}

class FixedNonce final : public Random {
 public:
  void fill(std::span<std::byte> out) override { std::ranges::fill(out, std::byte{0x42}); }
};

TEST(AeadTest, OpenGivesBackWhatWasSealed) {
  const Aead aead = new_aead();
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 1'000u, 1u << 20}) {
    const std::string plaintext(size, 'p');
    const auto opened = aead.open(seal(aead, plaintext), as_bytes("data"));
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(as_text(opened->reveal()), plaintext);
  }
}

TEST(AeadTest, BlobHasTheDocumentedBytes) {
  auto key = SecretBytes::allocate(32);
  const Aead aead = *Aead::create(*std::move(key), 0x01020304);
  FixedNonce random;
  const auto sealed = aead.seal(random, as_bytes("abc"), as_bytes("aad"));
  ASSERT_TRUE(sealed);
  // The ciphertext and tag were computed with another implementation (Python's cryptography).
  EXPECT_EQ(hex(sealed->bytes()),
            "01"
            "01020304"
            "424242424242424242424242"
            "61715cbb37f859c349ff4e85da3f7299ed5066");
  EXPECT_EQ(sealed->key_version(), 0x01020304u);
  EXPECT_EQ(hex(sealed->nonce()), "424242424242424242424242");
  EXPECT_EQ(sealed->ciphertext_and_tag().size(), 3u + 16u);
}

TEST(AeadTest, NoncesDiffer) {
  const Aead aead = new_aead();
  std::set<std::string> nonces;
  for (int i = 0; i < 1'000; ++i) nonces.insert(hex(seal(aead, kPlaintext).nonce()));
  EXPECT_EQ(nonces.size(), 1'000u);
}

TEST(AeadTest, CreateRefusesOtherKeySizes) {
  for (const std::size_t size : {0u, 16u, 24u, 31u, 33u, 64u}) {
    const auto aead = Aead::create(*SecretBytes::allocate(size), 1);
    ASSERT_FALSE(aead) << size;
    EXPECT_EQ(aead.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(AeadTest, SealRefusesLargePlaintextAndData) {
  SystemRandom random;
  const std::vector<std::byte> large(Aead::kPlaintextSizeMax + 1);
  EXPECT_EQ(new_aead().seal(random, large, {}).error().code(), ErrorCode::too_large);
  EXPECT_EQ(new_aead().seal(random, {}, large).error().code(), ErrorCode::too_large);
}

TEST(AeadTest, OpenRefusesAnotherKeyVersionKeyOrData) {
  const Aead aead = new_aead(7);
  const Sealed sealed = seal(aead, kPlaintext);
  EXPECT_EQ(error_of(new_aead(8).open(sealed, as_bytes("data"))), ErrorCode::not_found);
  EXPECT_EQ(error_of(new_aead(7).open(sealed, as_bytes("data"))), ErrorCode::permission_denied);
  EXPECT_EQ(error_of(aead.open(sealed, as_bytes("other"))), ErrorCode::permission_denied);
  EXPECT_EQ(error_of(aead.open(sealed, {})), ErrorCode::permission_denied);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(AeadTest, OpenRefusesEveryFlippedBit) {
  const Aead aead = new_aead();
  const std::vector<std::byte> good = bytes_of(seal(aead, kPlaintext));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::vector<std::byte> bad = good;
    bad[bit / 8] ^= std::byte(1u << (bit % 8));
    const auto sealed = Sealed::from_stored(bad);
    EXPECT_EQ(sealed.has_value(), bit >= 8) << bit;  // the version byte is checked at once
    if (sealed) {
      EXPECT_FALSE(aead.open(*sealed, as_bytes("data"))) << bit;
    }
  }
}

TEST(AeadTest, OpenRefusesEveryTruncation) {
  const Aead aead = new_aead();
  const std::vector<std::byte> good = bytes_of(seal(aead, kPlaintext));
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto sealed = Sealed::from_stored(std::span(good).first(size));
    if (size < Sealed::kOverhead) {
      ASSERT_FALSE(sealed) << size;
      EXPECT_EQ(sealed.error().code(), ErrorCode::corrupt);
    } else {
      EXPECT_EQ(error_of(aead.open(*sealed, as_bytes("data"))), ErrorCode::permission_denied);
    }
  }
}

TEST(AeadTest, FromStoredRefusesWhatIsTooLong) {
  std::vector<std::byte> bytes(Sealed::kSizeMax + 1);
  bytes[0] = std::byte{1};
  EXPECT_EQ(Sealed::from_stored(bytes).error().code(), ErrorCode::corrupt);
  bytes.pop_back();
  EXPECT_TRUE(Sealed::from_stored(bytes));
}

TEST(AeadTest, FromStoredKeepsTheBytes) {
  const Sealed sealed = seal(new_aead(), kPlaintext);
  const auto stored = Sealed::from_stored(sealed.bytes());
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, sealed);
}

TEST(AeadTest, FromPartsMakesTheSameBlob) {
  const Aead aead = new_aead();
  const Sealed sealed = seal(aead, kPlaintext);
  const auto made =
      Sealed::from_parts(sealed.key_version(), sealed.nonce(), sealed.ciphertext_and_tag());
  ASSERT_TRUE(made);
  EXPECT_EQ(*made, sealed);
}

TEST(AeadTest, FromPartsRefusesWrongSizes) {
  const std::array<std::byte, 12> nonce{};
  const std::vector<std::byte> large((std::size_t{1} << 20) + 17);
  const std::span<const std::byte> all(large);
  EXPECT_EQ(Sealed::from_parts(1, nonce, all.first(15)).error().code(),
            ErrorCode::invalid_argument);
  EXPECT_TRUE(Sealed::from_parts(1, nonce, all.first(16)));
  EXPECT_TRUE(Sealed::from_parts(1, nonce, all.first(large.size() - 1)));
  EXPECT_EQ(Sealed::from_parts(1, nonce, all).error().code(), ErrorCode::invalid_argument);
}

TEST(AeadTest, ThreadsSealWithOneKey) {
  const Aead aead = new_aead();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&aead] {
      for (int round = 0; round < 500; ++round) {
        const auto opened = aead.open(seal(aead, kPlaintext), as_bytes("data"));
        ASSERT_TRUE(opened);
        EXPECT_EQ(as_text(opened->reveal()), kPlaintext);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Fills `key` with a pattern that stands nowhere else, and returns it masked.
testing::MaskedPattern plant(std::span<std::byte> key) {
  testing::MaskedPattern masked;
  SystemRandom().fill(masked);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = masked[i % 16] ^ testing::kMask;
  return masked;
}

TEST(AeadTest, NoKeyStaysInACipherContext) {
  std::vector<std::byte> key(kGcmKeySize);
  const testing::MaskedPattern masked = plant(key);
  std::array<std::byte, 12> nonce{};
  std::array<std::byte, 16> tag{};
  ASSERT_TRUE(aes256_gcm_seal({key, nonce, {}}, {}, {}, tag));
  ASSERT_TRUE(aes256_gcm_open({key, nonce, {}}, {}, tag, {}));
  EXPECT_GE(testing::count_in_memory(masked), 1u);  // the scan finds the key while it is there
  wipe(key);
  EXPECT_EQ(testing::count_in_memory(masked), 0u);
}

TEST(AeadPrimitiveTest, RefusesOtherKeyNonceAndTagSizes) {
  const std::array<std::byte, 64> zeros{};
  const std::span<const std::byte> z(zeros);
  std::array<std::byte, 17> tag{};
  const auto seal_with = [&](std::size_t key, std::size_t nonce, std::size_t tag_size) {
    return aes256_gcm_seal({z.first(key), z.first(nonce), {}}, {}, {},
                           std::span(tag).first(tag_size));
  };
  const auto open_with = [&](std::size_t key, std::size_t nonce, std::size_t tag_size) {
    return aes256_gcm_open({z.first(key), z.first(nonce), {}}, {}, std::span(tag).first(tag_size),
                           {});
  };
  ASSERT_TRUE(seal_with(32, 12, 16));
  ASSERT_TRUE(open_with(32, 12, 16));
  struct Case {
    std::size_t key, nonce, tag;
  };
  for (const Case& c :
       {Case{16, 12, 16}, Case{33, 12, 16}, Case{32, 0, 16}, Case{32, 8, 16}, Case{32, 16, 16},
        Case{32, 12, 0}, Case{32, 12, 12}, Case{32, 12, 15}, Case{32, 12, 17}}) {
    const auto sealed = seal_with(c.key, c.nonce, c.tag);
    const auto opened = open_with(c.key, c.nonce, c.tag);
    ASSERT_FALSE(sealed || opened) << c.key << ' ' << c.nonce << ' ' << c.tag;
    EXPECT_EQ(sealed.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(opened.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(AeadPrimitiveTest, RefusesOutputOfAnotherSize) {
  const std::array<std::byte, 32> key{};
  const std::array<std::byte, 12> nonce{};
  std::array<std::byte, 16> tag{};
  std::array<std::byte, 4> out{};
  EXPECT_EQ(aes256_gcm_seal({key, nonce, {}}, as_bytes("abc"), out, tag).error().code(),
            ErrorCode::invalid_argument);
  EXPECT_EQ(aes256_gcm_open({key, nonce, {}}, as_bytes("abc"), tag, out).error().code(),
            ErrorCode::invalid_argument);
}

TEST(AeadPrimitiveTest, FailedOpenLeavesZeros) {
  const std::array<std::byte, 32> key{};
  const std::array<std::byte, 12> nonce{};
  const std::array<std::byte, 16> wrong_tag{};
  std::array<std::byte, 3> out{std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_EQ(aes256_gcm_open({key, nonce, {}}, as_bytes("abc"), wrong_tag, out).error().code(),
            ErrorCode::permission_denied);
  EXPECT_EQ(out, (std::array<std::byte, 3>{}));
}

}  // namespace
}  // namespace strongroom::crypto

// Sealed blobs: what connectord sealed opens for it and says the same; what anybody changed, moved
// or made up does not open.
#include "cde/connectors/sealer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/encoding.h"
#include "cde/connectors/seal_key.h"
#include "crypto/context.h"
#include "crypto/sealed_file.h"
#include "support/temporary_directory.h"

namespace strongroom::cde {
namespace {

// docs/formats/connector-seal.md, "Example".
constexpr std::string_view kAccountBlob =
    "01010203040106737472697065056163635f31424242424242424242424242"
    "0016528868ae1af29e04e281be63f713c0ac40767db63353572cb82901e2cabcce40";
constexpr std::string_view kTokenBlob =
    "01010203040206737472697065056163635f31424242424242424242424242"
    "0016528868ae1af29214fcad95378463eff0f874f8f5012b0a1a1f86b44e21c1726b40c8";

class FixedRandom final : public crypto::Random {
 public:
  void fill(std::span<std::byte> out) override { std::ranges::fill(out, std::byte{0x42}); }
};

SecretBytes secret(std::string_view text) { return *SecretBytes::copy_of(as_bytes(text)); }

crypto::Aead key(std::uint32_t version, std::byte fill = {}) {
  SecretBytes bytes = *SecretBytes::allocate(crypto::Aead::kKeySize);
  std::ranges::fill(bytes.reveal(), fill);
  return *crypto::Aead::create(std::move(bytes), version);
}

SealKeys keys(std::uint32_t version = 0x01020304) {
  SealKeys made;
  made.push_back(key(version));
  return made;
}

std::string text_of(std::string_view hex_text) {
  std::vector<std::byte> bytes(hex_text.size() / 2);
  EXPECT_TRUE(parse_hex(hex_text, bytes));
  return base64url(bytes);
}

Account account() { return {"acc_1", "mer_1", secret("sk_test_1")}; }
ProcessorToken token() { return {"acc_1", "mer_1", {"cus_1", "pm_1"}}; }

class SealerTest : public testing::Test {
 protected:
  template <class Opened>
  void expect_error(const Result<Opened>& opened, ErrorCode code) {
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), code) << opened.error().what();
  }
  FixedRandom random_;
  SealKeys keys_ = keys();
  Sealer sealer_{"stripe", keys_, random_};
};

TEST_F(SealerTest, WritesTheDocumentedBytes) {
  EXPECT_EQ(*sealer_.seal(account()), text_of(kAccountBlob));
  EXPECT_EQ(*sealer_.seal(token()), text_of(kTokenBlob));
}

TEST_F(SealerTest, OpensTheDocumentedBytes) {
  const auto opened = sealer_.open_account(text_of(kAccountBlob));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->id, "acc_1");
  EXPECT_EQ(opened->merchant, "mer_1");
  EXPECT_EQ(as_text(opened->credential.reveal()), "sk_test_1");
  const auto card = sealer_.open_processor_token(text_of(kTokenBlob));
  ASSERT_TRUE(card.has_value());
  EXPECT_EQ(card->account_id, "acc_1");
  EXPECT_EQ(card->merchant, "mer_1");
  EXPECT_EQ(card->ids, (std::vector<std::string>{"cus_1", "pm_1"}));
}

TEST_F(SealerTest, TakesTheLargestOfEverything) {
  const Account large{std::string(wire::kAccountIdBytesMax, 'a'),
                      std::string(kMerchantBytesMax, 'm'),
                      secret(std::string(kCredentialBytesMax, 'c'))};
  const auto blob = sealer_.seal(large);
  ASSERT_TRUE(blob.has_value());
  EXPECT_LE(blob->size(), wire::kSealedTextBytesMax);
  EXPECT_TRUE(sealer_.open_account(*blob).has_value());
  ProcessorToken card = token();
  card.ids.assign(kProcessorIdsMax, std::string(kProcessorIdBytesMax, 'i'));
  const auto sealed = sealer_.seal(card);
  ASSERT_TRUE(sealed.has_value());
  EXPECT_EQ(sealer_.open_processor_token(*sealed)->ids, card.ids);
}

TEST_F(SealerTest, SealRefusesWhatIsEmptyOrTooLong) {
  expect_error(sealer_.seal(Account{"", "mer_1", secret("s")}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(Account{"acc 1", "mer_1", secret("s")}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(Account{"acc_1", "", secret("s")}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(Account{"acc_1", "mer_1", {}}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(Account{"acc_1", "mer_1", secret(std::string(2049, 'c'))}),
               ErrorCode::invalid_argument);
  expect_error(sealer_.seal(ProcessorToken{"acc_1", "mer_1", {}}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(ProcessorToken{"acc_1", "mer_1", {""}}), ErrorCode::invalid_argument);
  expect_error(sealer_.seal(ProcessorToken{"acc_1", "mer_1", {"a", "b", "c", "d", "e"}}),
               ErrorCode::invalid_argument);
  expect_error(sealer_.seal(ProcessorToken{"acc_1", "mer_1", {std::string(256, 'i')}}),
               ErrorCode::invalid_argument);
}

TEST_F(SealerTest, NothingOpensThatWasChanged) {
  const std::vector<std::byte> good = *parse_base64url(*sealer_.seal(token()));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::vector<std::byte> changed = good;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(sealer_.open_processor_token(base64url(changed)).has_value()) << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(sealer_.open_processor_token(base64url(std::span(good).first(size))).has_value());
  }
}

TEST_F(SealerTest, NothingOpensAsAnotherKindConnectorOrAccount) {
  const std::string sealed = *sealer_.seal(token());
  expect_error(sealer_.open_account(sealed), ErrorCode::invalid_argument);
  const Sealer other("nmi", keys_, random_);
  expect_error(other.open_processor_token(sealed), ErrorCode::invalid_argument);
  // The same names in the head, as an intruder would write them.
  std::vector<std::byte> blob = *parse_base64url(sealed);
  blob[5] = std::byte{1};
  expect_error(sealer_.open_account(base64url(blob)), ErrorCode::permission_denied);
  blob = *parse_base64url(sealed);
  blob[18] = std::byte{'2'};
  EXPECT_EQ(wire::parse_sealed_head(blob)->account_id, "acc_2");
  expect_error(sealer_.open_processor_token(base64url(blob)), ErrorCode::permission_denied);
}

TEST_F(SealerTest, OlderKeysOpenAndTheNewestSeals) {
  const std::string old_blob = *sealer_.seal(token());
  SealKeys both;
  both.push_back(key(0x01020305, std::byte{7}));
  both.push_back(key(0x01020304));
  const Sealer later("stripe", both, random_);
  EXPECT_TRUE(later.open_processor_token(old_blob).has_value());
  const std::string new_blob = *later.seal(token());
  EXPECT_EQ(wire::parse_sealed_text(new_blob)->key_version, 0x01020305U);
  expect_error(sealer_.open_processor_token(new_blob), ErrorCode::permission_denied);
}

// What only our own key could have made, but no version of us ever makes.
TEST_F(SealerTest, RefusesContentOfAnotherForm) {
  const std::vector<std::byte> documented = *parse_base64url(text_of(kTokenBlob));
  const std::vector<std::byte> head(documented.begin(), documented.begin() + 19);
  crypto::Context context("strongroom/connector-seal/1");
  context.add(head);
  for (const std::string_view plain :
       {std::string_view("\0\1m", 3), std::string_view("\0\1m\0", 4), std::string_view("", 0),
        std::string_view("\0\0\0\1i", 5), std::string_view("\0\1m\0\2i", 6),
        std::string_view("\0\1m\0\1a\0\1b\0\1c\0\1d\0\1e", 18)}) {
    const auto sealed = keys_.front().seal(random_, as_bytes(plain), context.bytes());
    ASSERT_TRUE(sealed.has_value());
    std::vector<std::byte> blob = head;
    append_bytes(blob, sealed->bytes().subspan(5));
    expect_error(sealer_.open_processor_token(base64url(blob)), ErrorCode::permission_denied);
  }
}

TEST(SealKeyTest, IsMadeOnceAndLoaded) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "seal.sealed").string();
  const SecretBytes passphrase = secret("correct horse battery");
  crypto::SystemRandom random;
  ASSERT_TRUE(make_seal_key(path, passphrase, random).has_value());
  const auto first = load_seal_keys(path, passphrase);
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().key_version(), 1U);
  const std::string blob = *Sealer("stripe", *first, random).seal(token());

  ASSERT_TRUE(make_seal_key(path, passphrase, random).has_value());  // again: nothing changes
  const auto second = load_seal_keys(path, passphrase);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(Sealer("stripe", *second, random).open_processor_token(blob).has_value());
}

TEST(SealKeyTest, RefusesAnotherPassphraseAndOtherContent) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "seal.sealed").string();
  const SecretBytes passphrase = secret("correct horse battery");
  crypto::SystemRandom random;
  ASSERT_TRUE(make_seal_key(path, passphrase, random).has_value());
  EXPECT_EQ(load_seal_keys(path, secret("another passphrase")).error().code(),
            ErrorCode::permission_denied);
  const std::string record(36, 'k');
  for (const std::string& content : {std::string(), std::string(35, 'k'), record + record}) {
    ASSERT_TRUE(crypto::write_sealed_file(path, secret(content), passphrase, "connector-seal"));
    EXPECT_EQ(load_seal_keys(path, passphrase).error().code(), ErrorCode::corrupt);
  }
}

}  // namespace
}  // namespace strongroom::cde

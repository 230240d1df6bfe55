// The one form of a public token.
#include "cde/vault/public_token.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strongroom::cde {
namespace {

// Gives what it is told to, and zeros after that.
class ScriptedRandom final : public crypto::Random {
 public:
  explicit ScriptedRandom(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = next_ < bytes_.size() ? bytes_[next_++] : std::byte{0};
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t next_ = 0;
};

TEST(PublicTokenTest, IsDrawnAgainWhenItLooksLikeACardNumber) {
  // Base32 of these bytes begins with 4242424242424242.
  ScriptedRandom random(
      std::vector<std::byte>{std::byte{0xe6}, std::byte{0xb9}, std::byte{0xae}, std::byte{0x6b},
                             std::byte{0x9a}, std::byte{0xe6}, std::byte{0xb9}, std::byte{0xae},
                             std::byte{0x6b}, std::byte{0x9a}, std::byte{0x00}, std::byte{0x00},
                             std::byte{0x00}, std::byte{0x00}, std::byte{0x00}, std::byte{0x00}});
  EXPECT_EQ(PublicToken::generate(random).text(), "tok_" + std::string(26, 'a'));
}

TEST(PublicTokenTest, ParsesOnlyWhatItMakes) {
  crypto::SystemRandom random;
  const PublicToken token = PublicToken::generate(random);
  EXPECT_EQ(token.text().size(), PublicToken::kTextSize);
  EXPECT_TRUE(PublicToken::parse(token.text()));
  for (const std::string_view text : {"", "tok_", "tok_AAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "tok_aaaaaaaaaaaaaaaaaaaaaaaaa1", "4242424242424242"}) {
    EXPECT_FALSE(PublicToken::parse(text)) << text;
  }
}

}  // namespace
}  // namespace strongroom::cde

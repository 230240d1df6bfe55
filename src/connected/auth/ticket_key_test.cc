#include "connected/auth/ticket_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/encoding.h"
#include "base/file.h"
#include "connected/auth/testing/fixture.h"

namespace strongroom::connected::auth {
namespace {

SecretBytes passphrase(std::string_view text) {
  auto secret = SecretBytes::copy_of(as_bytes(text));
  SR_CHECK(secret.has_value());
  return *std::move(secret);
}

class TicketKeyTest : public ::testing::Test {
 protected:
  TicketKeyFiles files() const {
    return {.sealed_path = (folder_.path() / "ticket.sealed").string(),
            .public_path = (folder_.path() / "tickets.pub").string()};
  }
  std::string public_text() const {
    const auto text = read_file(files().public_path, 4096);
    return text ? *text : std::string();
  }
  test::TemporaryDirectory folder_;
  crypto::SystemRandom random_;
  strongroom::testing::SetClock clock_;
};

TEST_F(TicketKeyTest, MadeKeySignsWhatThePublicFileVerifies) {
  const SecretBytes phrase = passphrase("a long enough phrase");
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  const auto signer = load_ticket_signer(files().sealed_path, phrase);
  ASSERT_TRUE(signer);
  const std::int64_t now_s = clock_.now / 1'000'000;
  const http::Ticket ticket{.subject = "key_a",
                            .merchant = "mer_a",
                            .role = "merchant_admin",
                            .scopes = {},
                            .issued_at_s = now_s,
                            .expires_at_s = now_s + 60};
  const auto text = signer->sign(ticket);
  ASSERT_TRUE(text);
  const auto verifier = http::TicketVerifier::create(public_text(), clock_);
  ASSERT_TRUE(verifier);
  EXPECT_TRUE(verifier->verify(*text));
}

TEST_F(TicketKeyTest, PublicFileIsReadableAndSealedFileIsNot) {
  ASSERT_TRUE(make_ticket_key(files(), passphrase("a long enough phrase"), random_));
  struct stat info{};
  ASSERT_EQ(::stat(files().public_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  ASSERT_EQ(::stat(files().sealed_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(TicketKeyTest, MakeAgainChangesNothingAndCompletesAnInterruptedRun) {
  const SecretBytes phrase = passphrase("a long enough phrase");
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  const std::string before = public_text();
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  EXPECT_EQ(public_text(), before);
  std::filesystem::remove(files().public_path);
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  EXPECT_EQ(public_text(), before);
}

TEST_F(TicketKeyTest, PublishKeepsOlderKeys) {
  const SecretBytes phrase = passphrase("a long enough phrase");
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  const std::string first = public_text();
  std::filesystem::remove(files().sealed_path);
  ASSERT_TRUE(make_ticket_key(files(), phrase, random_));
  EXPECT_TRUE(public_text().starts_with(first));
  EXPECT_GT(public_text().size(), first.size());
}

TEST_F(TicketKeyTest, WrongPassphraseAndMissingFileAreToldApart) {
  ASSERT_TRUE(make_ticket_key(files(), passphrase("a long enough phrase"), random_));
  const auto wrong = load_ticket_signer(files().sealed_path, passphrase("another long phrase"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::permission_denied);
  const auto missing = load_ticket_signer(files().sealed_path + "x", passphrase("a phrase, long"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace strongroom::connected::auth

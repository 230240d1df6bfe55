#include "http/ticket.h"

#include <gtest/gtest.h>

#include <array>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/signer.h"

namespace strongroom::http {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'800'000'000;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now_s * 1'000'000; }
  std::int64_t now_s = kNow;
};

SecretBytes seed(std::byte fill) {
  auto bytes = SecretBytes::allocate(32);
  std::ranges::fill(bytes->reveal(), fill);
  return *std::move(bytes);
}

Ticket sample() {
  return {.subject = "key_1",
          .merchant = "mer_1",
          .role = "merchant_admin",
          .scopes = {"tokens:write", "payments:write"},
          .mfa = true,
          .issued_at_s = kNow,
          .expires_at_s = kNow + 60};
}

// The JWS of any header and claims under the key that the verifier knows as k1.
std::string forge(std::string_view header, std::string_view claims) {
  const auto key = crypto::Ed25519Signer::from_seed(seed(std::byte{1}));
  std::string text = base64url(as_bytes(header)) + "." + base64url(as_bytes(claims));
  return text + "." + base64url(key->sign(as_bytes(text)));
}

constexpr std::string_view kHeader = R"({"alg":"EdDSA","kid":"k1","typ":"JWT"})";
constexpr std::string_view kClaims =
    R"({"sub":"s","merchant":"m","role":"r","scopes":[],"mfa":false,)"
    R"("iat":1800000000,"exp":1800000060})";

class TicketTest : public ::testing::Test {
 protected:
  bool accepts(std::string_view text, std::chrono::seconds late_max = 0s) {
    const auto ticket = verifier_.verify(text, late_max);
    if (!ticket) {
      EXPECT_EQ(ticket.error().code(), ErrorCode::permission_denied);
    }
    return ticket.has_value();
  }
  FixedClock clock_;
  TicketSigner signer_ = *TicketSigner::create(seed(std::byte{1}), "k1");
  TicketVerifier verifier_ = *TicketVerifier::create(signer_.public_key_line(), clock_, 4);
};

TEST_F(TicketTest, VerifyGivesWhatWasSigned) {
  const auto text = signer_.sign(sample());
  ASSERT_TRUE(text.has_value());
  for (int i = 0; i < 2; ++i) {  // the second comes from the cache
    const auto ticket = verifier_.verify(*text);
    ASSERT_TRUE(ticket.has_value());
    EXPECT_EQ(ticket->subject, "key_1");
    EXPECT_EQ(ticket->merchant, "mer_1");
    EXPECT_EQ(ticket->role, "merchant_admin");
    EXPECT_EQ(ticket->scopes, (std::vector<std::string>{"tokens:write", "payments:write"}));
    EXPECT_TRUE(ticket->mfa);
    EXPECT_EQ(ticket->issued_at_s, kNow);
    EXPECT_EQ(ticket->expires_at_s, kNow + 60);
    EXPECT_EQ(ticket->id_hash, hex(crypto::sha256(as_bytes(*text))));
  }
}

TEST_F(TicketTest, SignWritesTheOneHeader) {
  const auto text = signer_.sign(sample());
  ASSERT_TRUE(text.has_value());
  const auto header = parse_base64url(std::string_view(*text).substr(0, text->find('.')));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(as_text(*header), kHeader);
}

TEST_F(TicketTest, VerifyKeepsTheTimes) {
  const auto text = signer_.sign(sample());
  struct Row {
    std::int64_t offset_s;
    std::chrono::seconds late_max;
    bool accepted;
  };
  for (const Row& row : std::to_array<Row>({{-kTicketSkewMaxS - 1, 0s, false},
                                            {-kTicketSkewMaxS, 0s, true},
                                            {0, 0s, true},
                                            {59, 0s, true},
                                            {60, 0s, false},
                                            {60, 1s, true},
                                            {60 + 86'399, 86'400s, true},
                                            {60 + 86'400, 86'400s, false}})) {
    clock_.now_s = kNow + row.offset_s;
    EXPECT_EQ(accepts(*text, row.late_max), row.accepted) << row.offset_s;
  }
}

TEST_F(TicketTest, VerifyTakesTheExactFormOnly) {
  ASSERT_TRUE(accepts(forge(kHeader, kClaims)));
  for (const std::string_view header :
       {R"({"alg":"none","kid":"k1","typ":"JWT"})", R"({"alg":"HS256","kid":"k1","typ":"JWT"})",
        R"({"alg":"EdDSA","kid":"k2","typ":"JWT"})", R"({"alg":"EdDSA","kid":"","typ":"JWT"})",
        R"({"alg":"EdDSA","typ":"JWT","kid":"k1"})", R"({"alg":"EdDSA","kid":"k1"})",
        R"({"alg":"EdDSA", "kid":"k1","typ":"JWT"})",
        R"({"alg":"EdDSA","kid":"k1","typ":"JWT","crit":["x"]})",
        R"({"alg":"EdDSA","kid":"k1","alg":"none","typ":"JWT"})",
        R"({"alg":"EdDSA","kid":"k1","typ":"JWT"}x)", R"({"alg":"EdDSA","kid":")", ""}) {
    EXPECT_FALSE(accepts(forge(header, kClaims))) << header;
  }
}

TEST_F(TicketTest, VerifyTakesTheExactClaimsOnly) {
  const auto claims = [](std::string_view scopes, std::string_view times,
                         std::string_view more = "") {
    return R"({"sub":"s","merchant":"m","role":"r","mfa":false,"scopes":)" + std::string(scopes) +
           "," + std::string(times) + std::string(more) + "}";
  };
  constexpr std::string_view kTimes = R"("iat":1800000000,"exp":1800000060)";
  ASSERT_TRUE(accepts(forge(kHeader, claims("[]", kTimes))));
  ASSERT_TRUE(accepts(forge(kHeader, claims("[\"a\"]", kTimes))));
  for (const std::string& bad :
       {claims("[1]", kTimes), claims("[\"\"]", kTimes), claims("{}", kTimes),
        claims("null", kTimes), claims("[]", kTimes, R"(,"extra":1)"),
        claims("[]", kTimes, R"(,"sub":"t")"), claims("[]", R"("iat":1800000000)"),
        claims("[]", R"("exp":1800000060)"), claims("[]", R"("iat":"1800000000","exp":1800000060)"),
        claims("[]", R"("iat":1800000000.5,"exp":1800000060)"),
        claims("[]", R"("iat":1799999999,"exp":1800000060)"),  // lives 61 s
        claims("[]", R"("iat":1800000000,"exp":1800000000)"),  // lives not at all
        claims("[]", R"("iat":1800000001,"exp":1800000000)"),
        claims("[]", R"("iat":-9223372036854775808,"exp":9223372036854775807)"),
        std::string(R"({"merchant":"m"})"), std::string("[]"), std::string("{"), std::string()}) {
    EXPECT_FALSE(accepts(forge(kHeader, bad))) << bad;
  }
}

TEST_F(TicketTest, VerifyRefusesEveryChangedCharacter) {
  const auto text = signer_.sign(sample());
  for (std::size_t i = 0; i < text->size(); ++i) {
    std::string changed = *text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(accepts(changed)) << i;
    EXPECT_FALSE(accepts(text->substr(0, i)));
  }
  EXPECT_FALSE(accepts(*text + "A"));
  EXPECT_FALSE(accepts(*text + "="));
  EXPECT_FALSE(accepts(*text + "."));
  EXPECT_FALSE(accepts("." + *text));
  EXPECT_FALSE(accepts(".."));
  EXPECT_FALSE(accepts(std::string(kTicketBytesMax + 1, 'a')));
}

TEST_F(TicketTest, VerifyRefusesAnotherKeyUnderAKnownName) {
  const TicketSigner other = *TicketSigner::create(seed(std::byte{2}), "k1");
  EXPECT_FALSE(accepts(*other.sign(sample())));
}

TEST_F(TicketTest, CacheStaysBoundedAndRight) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) {
    Ticket ticket = sample();
    ticket.subject = "key_" + std::to_string(i);
    texts.push_back(*signer_.sign(ticket));
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      const auto ticket = verifier_.verify(texts[static_cast<std::size_t>(i)]);
      ASSERT_TRUE(ticket.has_value());
      EXPECT_EQ(ticket->subject, "key_" + std::to_string(i));
    }
  }
}

TEST_F(TicketTest, ReloadReplacesKeysAndForgetsTickets) {
  const TicketSigner next = *TicketSigner::create(seed(std::byte{2}), "k2");
  const auto old_text = signer_.sign(sample());
  const auto new_text = next.sign(sample());
  EXPECT_TRUE(accepts(*old_text));
  EXPECT_FALSE(accepts(*new_text));
  const std::string both =
      "# ticket keys\n\n" + signer_.public_key_line() + "\n" + next.public_key_line() + "\n";
  ASSERT_TRUE(verifier_.reload(both).has_value());
  EXPECT_TRUE(accepts(*old_text));
  EXPECT_TRUE(accepts(*new_text));
  ASSERT_TRUE(verifier_.reload(next.public_key_line()).has_value());
  EXPECT_FALSE(accepts(*old_text));
  EXPECT_TRUE(accepts(*new_text));
}

TEST_F(TicketTest, ReloadRefusesBadKeyFilesAndChangesNothing) {
  const std::string good = signer_.public_key_line() + "\n";
  const auto text = signer_.sign(sample());
  for (const std::string& bad :
       {good + "k2", good + "k2 not base64", good + "k2 AAAA", good + " AAAA", good + good,
        good + "k/2 " + base64(std::vector<std::byte>(32)),
        good + "k2  " + base64(std::vector<std::byte>(32)), good + "k2\t" + good.substr(3)}) {
    const auto reloaded = verifier_.reload(bad);
    ASSERT_FALSE(reloaded.has_value()) << bad;
    EXPECT_EQ(reloaded.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(reloaded.error().detail(), 2u);
    EXPECT_TRUE(accepts(*text));
  }
  EXPECT_FALSE(TicketVerifier::create("k1", clock_).has_value());
}

TEST_F(TicketTest, SignerRefusesWhatVerifiersWould) {
  const auto refuses = [this](Ticket ticket) {
    const auto text = signer_.sign(ticket);
    return !text && text.error().code() == ErrorCode::invalid_argument;
  };
  Ticket ticket = sample();
  ticket.expires_at_s = kNow + 61;
  EXPECT_TRUE(refuses(ticket));
  ticket.expires_at_s = kNow;
  EXPECT_TRUE(refuses(ticket));
  ticket = sample();
  ticket.subject.clear();
  EXPECT_TRUE(refuses(ticket));
  ticket = sample();
  ticket.merchant = std::string(129, 'm');
  EXPECT_TRUE(refuses(ticket));
  ticket = sample();
  ticket.scopes.assign(60, std::string(100, 's'));
  EXPECT_TRUE(refuses(ticket));
  EXPECT_FALSE(TicketSigner::create(seed(std::byte{1}), "").has_value());
  EXPECT_FALSE(TicketSigner::create(seed(std::byte{1}), "a b").has_value());
  EXPECT_FALSE(TicketSigner::create(seed(std::byte{1}), std::string(65, 'k')).has_value());
  EXPECT_FALSE(TicketSigner::create(SecretBytes{}, "k1").has_value());
}

}  // namespace
}  // namespace strongroom::http

// Approvals to the byte: the document's example, one form only, and what is refused.
#include "formats/approval.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::formats {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kMadeUs = 1'795'298'400'000'000;  // 2026-11-21T22:00:00Z
constexpr std::size_t kSeedSize = crypto::Ed25519Signer::kSeedSize;

// A key for tests only: its seed is one byte again and again.
crypto::Ed25519Signer signer(int byte) {
  const std::vector<std::byte> seed(kSeedSize, static_cast<std::byte>(byte));
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

ApprovalRequest request() {
  ApprovalRequest request{.deployment = "vault.example",
                          .action = "keys.destroy",
                          .made_at_us = kMadeUs,
                          .not_after_us = kMadeUs + 60 * kMinuteUs,
                          .parameters = {{"key", "strongroom/pan-encryption/3"},
                                         {"live-cards", "128"},
                                         {"registry-revision", "41"}}};
  SR_CHECK(parse_hex("0193502a9e007abc8def0123456789ab", request.id.bytes));
  return request;
}

Approval approval() {
  return approve(request(), ApprovalRole::approver, kMadeUs + 5 * kMinuteUs, signer(1));
}

// As a document shows it.
std::string indented(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t end = text.find('\n') + 1;
    if (end > 1) shown += "    ";
    shown += text.substr(0, end);
    text.remove_prefix(end);
  }
  return shown;
}

TEST(ApprovalTest, TheDocumentShowsTheseBytes) {
  const auto document = read_file(SR_SOURCE_DIR "/docs/formats/approval.md", 1 << 20);
  ASSERT_TRUE(document);
  EXPECT_THAT(*document, HasSubstr(indented(to_text(approval()))));
}

TEST(ApprovalTest, WhatIsWrittenIsReadAgain) {
  ApprovalRequest prepared = request();
  prepared.prepared_by = signer(2).public_key();
  ApprovalRequest plain = request();
  plain.parameters.clear();
  plain.deployment = "vault_2.example";  // as `strongroom init --trust-domain` takes it
  for (const ApprovalRequest& one : {request(), prepared, plain}) {
    EXPECT_EQ(parse_approval_request(to_text(one)), one);
    const Approval given = approve(one, ApprovalRole::preparer, kMadeUs, signer(3));
    EXPECT_EQ(parse_approval(to_text(given)), given);
    EXPECT_TRUE(is_signed(given));
  }
  EXPECT_FALSE(parse_approval(to_text(request()))) << "a request is no approval";
  EXPECT_FALSE(parse_approval_request(to_text(approval())));
}

TEST(ApprovalTest, NoByteIsAnotherAndStillTheSame) {
  const std::string text = to_text(approval());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const int flip : {1, 0x20, 0x80}) {
      std::string other = text;
      other[at] = static_cast<char>(other[at] ^ flip);
      const auto read = parse_approval(other);
      if (!read) continue;
      EXPECT_EQ(to_text(*read), other) << "two forms of one approval, at " << at;
      EXPECT_FALSE(is_signed(*read)) << "at " << at;
    }
  }
}

TEST(ApprovalTest, NothingIsCutOrAppended) {
  const std::string text = to_text(approval());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_approval(text.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_approval(text + "\n"));
  EXPECT_FALSE(parse_approval(text + text));
  EXPECT_EQ(parse_approval(std::string(kApprovalBytesMax + 1, 'a')).error().code(),
            ErrorCode::too_large);
}

TEST(ApprovalTest, ALineThatIsNotOfTheFormIsNamed) {
  std::string text = to_text(request());
  text.replace(text.find("action"), 6, "acting");
  const auto read = parse_approval_request(text);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(read.error().detail(), 3);
}

TEST(ApprovalTest, MembersThatAreNotWhatTheyMustBeAreRefused) {
  std::vector<ApprovalRequest> wrong(12, request());
  wrong[0].deployment = "Vault.example";
  wrong[1].deployment = "";
  wrong[2].deployment = std::string(254, 'a');
  wrong[3].action = "keys destroy";
  wrong[4].action = std::string(33, 'a');
  wrong[5].not_after_us = wrong[5].made_at_us;
  wrong[6].parameters.assign(kParametersMax + 1, {"name", "value"});
  wrong[7].parameters[0].name = "Key";
  wrong[8].parameters[0].value = " blank first";
  wrong[9].parameters[0].value = std::string(129, 'a');
  wrong[10].parameters[0].value = "4242 4242 4242 4242";  // a published test card
  wrong[11].parameters[0].value = "caf\xC3\xA9";
  for (const ApprovalRequest& one : wrong) {
    EXPECT_FALSE(parse_approval_request(to_text(one))) << to_text(one);
  }
  std::vector<ApprovalRequest> right(2, request());
  right[0].parameters.assign(kParametersMax, {"name", std::string(128, '~')});
  right[1].parameters[0].value = "a b";
  for (const ApprovalRequest& one : right) EXPECT_EQ(parse_approval_request(to_text(one)), one);
}

TEST(ApprovalTest, ASignatureIsOfOneKeyRoleAndTime) {
  for (int change = 0; change < 5; ++change) {
    Approval other = approval();
    switch (change) {
      case 0:
        other.role = ApprovalRole::preparer;
        break;
      case 1:
        other.signed_at_us += 1'000;
        break;
      case 2:
        other.key = signer(2).public_key();
        break;
      case 3:
        other.request.parameters[1].value = "129";
        break;
      default:
        other.request.prepared_by = signer(4).public_key();
    }
    EXPECT_FALSE(is_signed(other)) << change;
  }
}

}  // namespace
}  // namespace strongroom::formats

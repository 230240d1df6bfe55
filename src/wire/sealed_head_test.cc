#include "wire/sealed_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/encoding.h"
#include "wire/processor_token.h"

namespace strongroom::wire {
namespace {

// The examples of docs/formats/connector-seal.md.
constexpr std::string_view kAccount =
    "0101020304"
    "0106737472697065056163635f31424242424242424242424242"
    "0016528868ae1af29e04e281be63f713c0ac40767db63353572cb82901e2cabcce40";
constexpr std::string_view kProcessorToken =
    "0101020304"
    "0206737472697065056163635f31424242424242424242424242"
    "0016528868ae1af29214fcad95378463eff0f874f8f5012b0a1a1f86b44e21c1726b40c8";

std::vector<std::byte> bytes_of(std::string_view digits) {
  std::vector<std::byte> bytes(digits.size() / 2);
  EXPECT_TRUE(parse_hex(digits, bytes));
  return bytes;
}

TEST(SealedHeadTest, ReadsTheExamplesOfTheFormat) {
  const auto account = parse_sealed_head(bytes_of(kAccount));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->key_version, 0x01020304U);
  EXPECT_EQ(account->kind, SealedKind::account);
  EXPECT_EQ(account->connector, "stripe");
  EXPECT_EQ(account->account_id, "acc_1");
  EXPECT_EQ(account->size, 19U);
  const auto token = parse_sealed_text(base64url(bytes_of(kProcessorToken)));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->kind, SealedKind::processor_token);
}

TEST(SealedHeadTest, RefusesEachFault) {
  const auto refused = [](std::vector<std::byte> blob) {
    const auto head = parse_sealed_head(blob);
    return !head && head.error().code() == ErrorCode::invalid_argument;
  };
  const std::vector<std::byte> good = bytes_of(kAccount);
  const auto with = [&good](std::size_t offset, int value) {
    std::vector<std::byte> blob = good;
    blob[offset] = static_cast<std::byte>(value);
    return blob;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(with(0, 2)));  // another format
  EXPECT_TRUE(refused(with(5, 0)));  // no kind
  EXPECT_TRUE(refused(with(5, 3)));
  EXPECT_TRUE(refused(with(6, 0)));    // an empty name
  EXPECT_TRUE(refused(with(6, 33)));   // a name too long
  EXPECT_TRUE(refused(with(6, 255)));  // beyond the end
  EXPECT_TRUE(refused(with(7, 'S')));
  EXPECT_TRUE(refused(with(13, 0)));  // an empty account id
  EXPECT_TRUE(refused(with(14, '.')));
  std::vector<std::byte> largest = good;
  largest.resize(kSealedBytesMax);
  EXPECT_FALSE(refused(largest));
  largest.resize(kSealedBytesMax + 1);
  EXPECT_TRUE(refused(largest));
  for (std::size_t size = 0; size < 19 + 12 + 16; ++size) {
    EXPECT_TRUE(refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  }
  EXPECT_FALSE(parse_sealed_text(base64url(good) + "="));
  EXPECT_FALSE(parse_sealed_text(std::string(kSealedTextBytesMax + 1, 'A')));
  EXPECT_FALSE(parse_sealed_text(""));
}

TEST(ProcessorTokenTest, RequestReadsWhatItWrites) {
  const std::string account = base64url(bytes_of(kAccount));
  const auto request =
      parse_processor_token_request(processor_token_request_json(account, "pay_abc"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->account, account);
  EXPECT_EQ(request->payment, "pay_abc");
  EXPECT_EQ(request->head.account_id, "acc_1");
  EXPECT_EQ(request->stale, "");
  const std::string token = base64url(bytes_of(kProcessorToken));
  const auto again =
      parse_processor_token_request(processor_token_request_json(account, "pay_abc", token));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->stale, token);
}

TEST(ProcessorTokenTest, RequestRefusesEachFault) {
  const std::string account = base64url(bytes_of(kAccount));
  const struct {
    std::string body;
    ProblemType type;
  } rows[] = {
      {"{}", ProblemType::missing_field},
      {processor_token_request_json("YWJj", "pay_a"), ProblemType::invalid_value},
      {processor_token_request_json(base64url(bytes_of(kProcessorToken)), "pay_a"),
       ProblemType::invalid_value},
      {processor_token_request_json(account, "pay a"), ProblemType::invalid_value},
      {processor_token_request_json(account, "pay_a", account), ProblemType::invalid_value},
      {processor_token_request_json(account, ""), ProblemType::invalid_value},
      {R"({"account":"x","payment":"pay_a","pan":"1"})", ProblemType::invalid_value},
      {R"({"account":")" + account + R"(","payment":"pay_a","pan":"1"})",
       ProblemType::unknown_field},
  };
  for (const auto& row : rows) {
    const auto request = parse_processor_token_request(row.body);
    ASSERT_FALSE(request) << row.body;
    EXPECT_EQ(request.error().type, row.type) << row.body;
  }
}

TEST(ProcessorTokenTest, AnswerReadsWhatItWritesAndRefusesAnotherKind) {
  const std::string token = base64url(bytes_of(kProcessorToken));
  const auto answer = parse_processor_token_answer(to_json(ProcessorTokenAnswer{token, true}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->processor_token, token);
  EXPECT_TRUE(answer->created);
  EXPECT_FALSE(parse_processor_token_answer(R"({"processor_token":")" + token + "\"}"));
  EXPECT_FALSE(parse_processor_token_answer(
      to_json(ProcessorTokenAnswer{base64url(bytes_of(kAccount)), true})));
}

}  // namespace
}  // namespace strongroom::wire

#include "payments/idempotency.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace strongroom::payments {
namespace {

using wire::ProblemType;

TEST(IdempotencyKeyTest, BareAndQuotedAreOneKey) {
  EXPECT_EQ(parse_idempotency_key("8e03978e-40d5-43e8-bc93-6894a57f9324"),
            "8e03978e-40d5-43e8-bc93-6894a57f9324");
  EXPECT_EQ(parse_idempotency_key("\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
            "8e03978e-40d5-43e8-bc93-6894a57f9324");
  EXPECT_EQ(parse_idempotency_key("\"order 7\""), "order 7");
  EXPECT_EQ(parse_idempotency_key(R"("a\"b\\c")"), R"(a"b\c)");
  EXPECT_EQ(parse_idempotency_key(std::string(255, 'k')), std::string(255, 'k'));
  EXPECT_EQ(parse_idempotency_key('"' + std::string(255, 'k') + '"'), std::string(255, 'k'));
}

TEST(IdempotencyKeyTest, RefusesEveryOtherForm) {
  const struct {
    std::string field;
    ProblemType type;
  } rows[] = {
      {"", ProblemType::idempotency_key_missing},
      {"\"\"", ProblemType::invalid_value},
      {"\"", ProblemType::invalid_value},
      {"\"open", ProblemType::invalid_value},
      {"\"a\"b\"", ProblemType::invalid_value},
      {"\"a\\\"", ProblemType::invalid_value},
      {"\"a\\n\"", ProblemType::invalid_value},
      {"\"a\";p=1", ProblemType::invalid_value},
      {"two words", ProblemType::invalid_value},
      {"back\\slash", ProblemType::invalid_value},
      {"quo\"te", ProblemType::invalid_value},
      {"caf\xc3\xa9", ProblemType::invalid_value},
      {"\"caf\xc3\xa9\"", ProblemType::invalid_value},
      {std::string(256, 'k'), ProblemType::invalid_value},
      {'"' + std::string(256, 'k') + '"', ProblemType::invalid_value},
      {"4242424242424242", ProblemType::looks_like_card_data},
      {"\"4242 4242 4242 4242\"", ProblemType::looks_like_card_data},
      {"4242 4242 4242 4242", ProblemType::looks_like_card_data},
  };
  for (const auto& row : rows) {
    const auto key = parse_idempotency_key(row.field);
    ASSERT_FALSE(key) << row.field;
    EXPECT_EQ(key.error().type, row.type) << row.field;
  }
}

std::string text_of(const char* body, std::string_view route = "/v1/payments") {
  return fingerprint_text("POST", route, boost::json::parse(body));
}

TEST(FingerprintTest, SameJsonWrittenInAnotherWayIsTheSame) {
  EXPECT_EQ(text_of(R"({"amount":1099,"metadata":{"b":"2","a":"1"}})"),
            text_of(R"( { "metadata" : {"a":"1" , "b":"\u0032"}, "amount" : 1099 } )"));
}

TEST(FingerprintTest, AnyOtherRequestDiffers) {
  const std::string one = text_of(R"({"amount":1099,"list":[1,2],"e":{},"l":[]})");
  EXPECT_NE(one, text_of(R"({"amount":1098,"list":[1,2],"e":{},"l":[]})"));
  EXPECT_NE(one, text_of(R"({"amount":1099,"list":[2,1],"e":{},"l":[]})"));
  EXPECT_NE(one, text_of(R"({"amount":1099,"list":[1,2],"e":[],"l":[]})"));
  EXPECT_NE(one, text_of(R"({"amount":1099,"list":[1,2],"e":{},"l":[],"x":null})"));
  EXPECT_NE(one, text_of(R"({"amount":"1099","list":[1,2],"e":{},"l":[]})"));
  EXPECT_NE(one, text_of(R"({"amount":1099,"list":[1,2],"e":{},"l":[]})", "/v1/payments/pay_a"));
  // Parts cannot run into each other.
  const boost::json::value empty = boost::json::object();
  EXPECT_NE(fingerprint_text("POST", "/a", empty), fingerprint_text("POS", "T/a", empty));
}

TEST(IdempotencyTest, DecidesByTheTable) {
  const RequestFingerprint same{std::byte{1}};
  const RequestFingerprint other{std::byte{2}};
  EXPECT_EQ(decide(std::nullopt, same), IdempotencyDecision::first);
  EXPECT_EQ(decide(IdempotencyRecord{same, false}, same), IdempotencyDecision::replay);
  EXPECT_EQ(decide(IdempotencyRecord{same, true}, same), IdempotencyDecision::in_progress);
  EXPECT_EQ(decide(IdempotencyRecord{same, false}, other), IdempotencyDecision::mismatch);
  EXPECT_EQ(decide(IdempotencyRecord{same, true}, other), IdempotencyDecision::mismatch);
}

}  // namespace
}  // namespace strongroom::payments

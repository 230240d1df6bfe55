// Token requests: each way of being wrong has its own problem, and none of them keeps secret
// memory.
#include "cde/card/token_request.h"

#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "base/encoding.h"

namespace strongroom::cde {
namespace {

using wire::ProblemType;

const std::int64_t kNowUs = *parse_rfc3339("2026-11-21T12:00:00Z");

auto parse(std::string_view body, Profile profile = Profile::demo) {
  return parse_token_request(as_bytes(body), {profile, kNowUs});
}

std::string card(std::string_view members) { return R"({"card":{)" + std::string(members) + "}}"; }
constexpr std::string_view kGood = R"("number":"4242424242424242","exp_month":12,"exp_year":2030)";

TEST(TokenRequestTest, ReadsEveryMember) {
  const auto request = parse(
      R"({"card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123",)"
      R"("name":"Ada"},"expires_at":"2027-01-01T00:00:00Z","usage_limit":5,"metadata":{"a":"b\n"}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->pan.last4(), "4242");
  EXPECT_EQ(request->expiry.month(), 12);
  EXPECT_EQ(request->expiry.year(), 2030);
  ASSERT_TRUE(request->cvc);
  EXPECT_EQ(request->cvc->reveal(CvcReveal::grant()), "123");
  EXPECT_EQ(as_text(request->name.reveal()), "Ada");
  EXPECT_EQ(request->expires_at_us, *parse_rfc3339("2027-01-01T00:00:00Z"));
  EXPECT_EQ(request->usage_limit, 5);
  EXPECT_EQ(as_text(request->metadata.reveal()), R"({"a":"b\n"})");
}

// Two writings of one instant of the API: what is given back in milliseconds is what is kept.
TEST(TokenRequestTest, CutsATimeToTheMillisecond) {
  const auto expires_at_us = [](const std::string& time) {
    const auto request =
        parse(R"({"card":{)" + std::string(kGood) + R"(},"expires_at":")" + time + R"("})");
    return request ? request->expires_at_us : std::nullopt;
  };
  EXPECT_EQ(expires_at_us("2027-01-01T00:00:00.6278Z"), *parse_rfc3339("2027-01-01T00:00:00.627Z"));
  EXPECT_EQ(expires_at_us("2026-11-21T12:00:00.001Z"), kNowUs + 1'000);
  EXPECT_EQ(expires_at_us("2026-11-21T12:00:00.0009Z"), std::nullopt);  // cut, it is now
}

TEST(TokenRequestTest, TakesNullForWhatIsOptional) {
  const auto request = parse(
      R"({"card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":null,"name":null},)"
      R"("expires_at":null,"usage_limit":null,"metadata":null})");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->cvc);
  EXPECT_TRUE(request->name.empty());
  EXPECT_FALSE(request->expires_at_us);
  EXPECT_FALSE(request->usage_limit);
  EXPECT_TRUE(request->metadata.empty());
}

TEST(TokenRequestTest, RefusesEachFaultWithItsOwnProblem) {
  const std::string good(kGood);
  const struct {
    std::string body;
    ProblemType type;
    std::string_view pointer;
  } rows[] = {
      {"", ProblemType::malformed_json, ""},
      {"{", ProblemType::malformed_json, ""},
      {card(kGood) + "x", ProblemType::malformed_json, ""},
      {"[]", ProblemType::wrong_type, ""},
      {card(good + R"(,"number":"4242424242424242")"), ProblemType::duplicate_key, ""},
      {"{}", ProblemType::missing_field, "#/card"},
      {R"({"card":1})", ProblemType::wrong_type, "#/card"},
      {R"({"card":{},"x":1})", ProblemType::unknown_field, ""},
      {card(R"("exp_month":12,"exp_year":2030)"), ProblemType::missing_field, "#/card/number"},
      {card(R"("number":4242424242424242,"exp_month":12,"exp_year":2030)"), ProblemType::wrong_type,
       "#/card/number"},
      {card(good + R"(,"pin":"1234")"), ProblemType::unknown_field, ""},
      {card(R"("number":"42424242424","exp_month":12,"exp_year":2030)"),
       ProblemType::card_number_length, "#/card/number"},
      {card(R"("number":"42424242424242424242","exp_month":12,"exp_year":2030)"),
       ProblemType::card_number_length, "#/card/number"},
      {card(R"("number":"424242424242424x","exp_month":12,"exp_year":2030)"),
       ProblemType::invalid_value, "#/card/number"},
      {card(R"("number":"4242424242424241","exp_month":12,"exp_year":2030)"),
       ProblemType::card_number_check_digit, "#/card/number"},
      {card(R"("number":"4539578763621486","exp_month":12,"exp_year":2030)"),
       ProblemType::invalid_value, "#/card/number"},  // not a test card
      {card(R"("number":"4242424242424242","exp_month":13,"exp_year":2030)"),
       ProblemType::invalid_value, "#/card/exp_month"},
      {card(R"("number":"4242424242424242","exp_month":12,"exp_year":30)"),
       ProblemType::invalid_value, "#/card/exp_year"},
      {card(R"("number":"4242424242424242","exp_month":10,"exp_year":2026)"),
       ProblemType::card_expired, "#/card/exp_year"},
      {card(good + R"(,"cvc":"12a")"), ProblemType::invalid_value, "#/card/cvc"},
      {card(good + R"(,"cvc":123)"), ProblemType::wrong_type, "#/card/cvc"},
      {card(good + R"(,"name":"4242 4242 4242 4242")"), ProblemType::looks_like_card_data,
       "#/card/name"},
      {R"({"card":{)" + good + R"(},"metadata":{"note":"5555555555554444"}})",
       ProblemType::looks_like_card_data, "#/metadata"},
      {R"({"card":{)" + good + R"(},"metadata":{"5555555555554444":"x"}})",
       ProblemType::looks_like_card_data, "#/metadata"},
      {R"({"card":{)" + good + R"(},"metadata":{"note":7}})", ProblemType::wrong_type,
       "#/metadata"},
      {R"({"card":{)" + good + R"(},"metadata":{"":"x"}})", ProblemType::invalid_value,
       "#/metadata"},
      {R"({"card":{)" + good + R"(},"expires_at":"2020-01-01T00:00:00Z"})",
       ProblemType::invalid_value, "#/expires_at"},
      {R"({"card":{)" + good + R"(},"usage_limit":0})", ProblemType::invalid_value,
       "#/usage_limit"},
  };
  for (const auto& row : rows) {
    const std::size_t before = secret_memory_used_bytes();
    const auto request = parse(row.body);
    ASSERT_FALSE(request) << row.body;
    EXPECT_EQ(wire::kind_of(request.error().type).slug, wire::kind_of(row.type).slug) << row.body;
    if (!row.pointer.empty()) {
      EXPECT_EQ(request.error().pointer.text(), row.pointer) << row.body;
    }
    EXPECT_EQ(secret_memory_used_bytes(), before) << row.body;
  }
}

TEST(TokenRequestTest, ProductionRefusesDocumentedTestCardsAndTakesOthers) {
  EXPECT_FALSE(parse(card(kGood), Profile::production));
  EXPECT_TRUE(parse(card(R"("number":"4539578763621486","exp_month":12,"exp_year":2030)"),
                    Profile::production));
}

TEST(TokenRequestTest, MetadataTakesNoCodePinOrTrack) {
  const auto with_key = [](const std::string& key, const std::string& value = "123") {
    return parse(R"({"card":{)" + std::string(kGood) + R"(},"metadata":{")" + key + R"(":")" +
                 value + R"("}})");
  };
  for (const char* key :
       {"cvc", "Cvv", "c_v_c", "CVV2", "PIN", "pin-block", "track 2", "Security_Code", "cid"}) {
    const auto refused = with_key(key);
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().type, ProblemType::looks_like_card_data);
  }
  for (const char* key : {"order", "pins", "track3", "cv", "-"}) EXPECT_TRUE(with_key(key)) << key;
  for (const char* code : {"1234", " 123 ", "1-2-3"}) EXPECT_FALSE(with_key("CID", code)) << code;
  for (const char* customer : {"12", "10001", "c-123", "cus_4711"}) {
    EXPECT_TRUE(with_key("cid", customer)) << customer;
  }
}

TEST(TokenRequestTest, MetadataHasBounds) {
  const auto with_members = [](int count) {
    std::string members;
    for (int i = 0; i < count; ++i) {
      members += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
    }
    return R"({"card":{)" + std::string(kGood) + R"(},"metadata":{)" + members + "}}";
  };
  EXPECT_TRUE(parse(with_members(20)));
  EXPECT_FALSE(parse(with_members(21)));
}

TEST(TokenRequestTest, SurvivesTheLargestBodyOfTinyValues) {
  // 16 KiB of small values need many times their size once parsed.
  std::string body = R"({"card":[0)";
  while (body.size() < 16'000) body += ",0";
  body += "]}";
  const auto request = parse(body);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().type, ProblemType::wrong_type);
}

}  // namespace
}  // namespace strongroom::cde

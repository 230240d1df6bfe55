// Requests to store a card: each way of being wrong has its own problem, and none of them keeps
// secret memory.
#include "cde/card/stored_card_request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/encoding.h"

namespace strongroom::cde {
namespace {

using wire::ProblemType;

constexpr std::string_view kCard =
    R"("card":{"number":"4242424242424242","exp_month":12,"exp_year":2030})";

auto parse(std::string_view body, Profile profile = Profile::demo) {
  return parse_stored_card_request(as_bytes(body), profile);
}

std::string with(std::string_view members) { return "{" + std::string(members) + "}"; }

TEST(StoredCardRequestTest, ReadsEveryMember) {
  const auto request =
      parse(R"({"account":"AQ","idempotency_key":"key_1","card":{"number":"4242424242424242",)"
            R"("exp_month":1,"exp_year":2031,"cvc":"123","name":"Ada"}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->account, "AQ");
  EXPECT_EQ(request->idempotency_key, "key_1");
  EXPECT_EQ(request->card.pan.last4(), "4242");
  EXPECT_EQ(request->card.expiry.year(), 2031);
  ASSERT_TRUE(request->card.cvc);
  EXPECT_EQ(as_text(request->card.name.reveal()), "Ada");
}

TEST(StoredCardRequestTest, LeavesExpiryToTheProcessor) {
  EXPECT_TRUE(parse(R"({"account":"AQ","idempotency_key":"k","card":{"number":)"
                    R"("4242424242424242","exp_month":1,"exp_year":2001}})"));
}

TEST(StoredCardRequestTest, RefusesEachFaultWithItsOwnProblem) {
  const std::string card(kCard);
  const struct {
    std::string body;
    ProblemType type;
    std::string_view pointer;
  } rows[] = {
      {"{", ProblemType::malformed_json, ""},
      {"[]", ProblemType::wrong_type, "#"},
      {with(card + R"(,"account":"AQ","account":"AQ","idempotency_key":"k")"),
       ProblemType::duplicate_key, ""},
      {with(card + R"(,"idempotency_key":"k")"), ProblemType::missing_field, "#/account"},
      {with(card + R"(,"account":"AQ")"), ProblemType::missing_field, "#/idempotency_key"},
      {with(R"("account":"AQ","idempotency_key":"k")"), ProblemType::missing_field, "#/card"},
      {with(card + R"(,"account":"","idempotency_key":"k")"), ProblemType::invalid_value,
       "#/account"},
      {with(card + R"(,"account":"AQ","idempotency_key":"k\n")"), ProblemType::invalid_value,
       "#/idempotency_key"},
      {with(card + R"(,"account":"AQ","idempotency_key":"5555555555554444")"),
       ProblemType::looks_like_card_data, "#/idempotency_key"},
      {with(card + R"(,"account":"AQ","idempotency_key":"k","x":1)"), ProblemType::unknown_field,
       ""},
      {R"({"account":"AQ","idempotency_key":"k","card":{"number":"4242424242424241",)"
       R"("exp_month":12,"exp_year":2030}})",
       ProblemType::card_number_check_digit, "#/card/number"},
  };
  for (const auto& row : rows) {
    const std::size_t before = secret_memory_used_bytes();
    const auto request = parse(row.body);
    ASSERT_FALSE(request) << row.body;
    EXPECT_EQ(wire::kind_of(request.error().type).slug, wire::kind_of(row.type).slug) << row.body;
    EXPECT_EQ(request.error().pointer.text(), row.pointer) << row.body;
    EXPECT_EQ(secret_memory_used_bytes(), before) << row.body;
  }
}

TEST(StoredCardRequestTest, ProductionRefusesDocumentedTestCards) {
  EXPECT_FALSE(parse(with(std::string(kCard) + R"(,"account":"AQ","idempotency_key":"k")"),
                     Profile::production));
}

}  // namespace
}  // namespace strongroom::cde

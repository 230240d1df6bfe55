#include "payments/pay_message.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

namespace strongroom::payments {
namespace {

namespace json = boost::json;
using wire::ProblemType;

AuthorizationRequest authorization() {
  return {"YWNjb3VudA", "dG9rZW4", {1099, *Currency::parse("USD")}, "att_abc", "key_1"};
}
TransactionRequest transaction() {
  return {"YWNjb3VudA", 500, *Currency::parse("JPY"), "re_abc", "key_2"};
}
LookUpAnswer look_up() {
  return {.outcome = OperationOutcome::approved,
          .processor_reference = "pi_1",
          .status = ProcessorView::Status::captured,
          .amount = 1099,
          .amount_captured = 1000,
          .amount_refunded = 300,
          .refunds = {{"re_abc", "re_1", 200, OperationOutcome::approved},
                      {"", "re_2", 100, OperationOutcome::approved}}};
}

// `text` with the member replaced, or taken out when `value` is empty.
std::string with(const std::string& text, const char* member, const char* value) {
  json::object object = json::parse(text).as_object();
  if (*value == '\0') {
    object.erase(member);
  } else {
    object[member] = json::parse(value);
  }
  return json::serialize(object);
}

template <class Parse>
void expect_problem(Parse parse, const std::string& body, ProblemType type) {
  const auto parsed = parse(body);
  ASSERT_FALSE(parsed) << body;
  EXPECT_EQ(parsed.error().type, type) << body;
}

TEST(AuthorizationRequestTest, ReadsWhatItWrites) {
  AuthorizationRequest request = authorization();
  request.initiator = Initiator::merchant;
  request.settle = true;
  const auto read = parse_authorization_request(to_json(request));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(request));
  EXPECT_EQ(read->money, request.money);
  EXPECT_EQ(read->initiator, Initiator::merchant);
  EXPECT_TRUE(read->settle);
  EXPECT_FALSE(parse_authorization_request(with(to_json(request), "settle", ""))->settle);
}

TEST(AuthorizationRequestTest, RefusesEachFault) {
  const std::string good = to_json(authorization());
  const std::string blob = '"' + std::string(wire::kSealedTextBytesMax + 1, 'A') + '"';
  const struct {
    std::string body;
    ProblemType type;
  } rows[] = {
      {"{", ProblemType::malformed_json},
      {"[]", ProblemType::wrong_type},
      {good.substr(0, good.size() - 1) + R"(,"settle":true})", ProblemType::duplicate_key},
      {with(good, "card", "{}"), ProblemType::unknown_field},
      {with(good, "account", ""), ProblemType::missing_field},
      {with(good, "account", "\"\""), ProblemType::invalid_value},
      {with(good, "account", "\"a+b=\""), ProblemType::invalid_value},
      {with(good, "account", blob.c_str()), ProblemType::invalid_value},
      {with(good, "processor_token", "7"), ProblemType::wrong_type},
      {with(good, "amount", "0"), ProblemType::invalid_value},
      {with(good, "amount", "-1"), ProblemType::invalid_value},
      {with(good, "amount", "9223372036854775808"), ProblemType::invalid_value},
      {with(good, "amount", "10.5"), ProblemType::wrong_type},
      {with(good, "amount", "\"1099\""), ProblemType::wrong_type},
      {with(good, "currency", "\"XTS\""), ProblemType::invalid_value},
      {with(good, "currency", "\"usd\""), ProblemType::invalid_value},
      {with(good, "reference", "\"a b\""), ProblemType::invalid_value},
      {with(good, "idempotency_key", ""), ProblemType::missing_field},
      {with(good, "initiator", "\"nobody\""), ProblemType::invalid_value},
      {with(good, "settle", "1"), ProblemType::wrong_type},
  };
  for (const auto& row : rows) expect_problem(parse_authorization_request, row.body, row.type);
}

TEST(TransactionRequestTest, ReadsWhatItWrites) {
  const auto read = parse_transaction_request(Operation::refund, to_json(transaction()));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(transaction()));
  TransactionRequest rest = transaction();
  rest.amount.reset();
  EXPECT_FALSE(parse_transaction_request(Operation::capture, to_json(rest))->amount);
  EXPECT_TRUE(parse_transaction_request(Operation::void_, to_json(rest)));
}

TEST(TransactionRequestTest, RefusesEachFault) {
  const std::string good = to_json(transaction());
  const auto refund = [](const std::string& body) {
    return parse_transaction_request(Operation::refund, body);
  };
  expect_problem(refund, with(good, "amount", "0"), ProblemType::invalid_value);
  expect_problem(refund, with(good, "processor_token", "\"x\""), ProblemType::unknown_field);
  expect_problem(refund, with(good, "currency", ""), ProblemType::missing_field);
  expect_problem(
      [](const std::string& b) { return parse_transaction_request(Operation::void_, b); }, good,
      ProblemType::unknown_field);
}

TEST(PayAnswerTest, ReadsWhatItWrites) {
  const PayAnswer answers[] = {
      {OperationOutcome::approved, "pi_1", std::nullopt},
      {OperationOutcome::declined, "pi_1", Decline{DeclineClass::soft, "insufficient_funds"}},
      {OperationOutcome::failed, "", Decline{DeclineClass::configuration, "api_key_expired"}},
      {OperationOutcome::failed, "", std::nullopt},
      {OperationOutcome::unknown, "", std::nullopt}};
  for (const PayAnswer& answer : answers) {
    EXPECT_EQ(parse_pay_answer(to_json(answer)), answer) << to_json(answer);
  }
  EXPECT_TRUE(parse_pay_answer(R"({"outcome":"approved"})"));
}

TEST(PayAnswerTest, RefusesEachFault) {
  const std::string good =
      to_json(PayAnswer{OperationOutcome::declined, "pi_1", Decline{DeclineClass::hard, "lost"}});
  const struct {
    std::string body;
    ProblemType type;
  } rows[] = {
      {"", ProblemType::malformed_json},
      {with(good, "outcome", "\"settled\""), ProblemType::invalid_value},
      {with(good, "outcome", ""), ProblemType::missing_field},
      {with(good, "outcome", "\"approved\""), ProblemType::invalid_value},
      {with(good, "decline", "null"), ProblemType::invalid_value},
      {with(good, "decline", R"({"class":"hard"})"), ProblemType::missing_field},
      {with(good, "decline", R"({"class":"bad","code":"a"})"), ProblemType::invalid_value},
      {with(good, "decline", R"({"class":"hard","code":"a b"})"), ProblemType::invalid_value},
      {with(good, "decline", R"({"class":"hard","code":"a","x":1})"), ProblemType::unknown_field},
      {with(good, "processor_reference", "\"../x\""), ProblemType::invalid_value},
      {with(good, "message", "\"x\""), ProblemType::unknown_field},
  };
  for (const auto& row : rows) expect_problem(parse_pay_answer, row.body, row.type);
}

TEST(LookUpTest, TargetNamesWhatIsKnown) {
  EXPECT_EQ(target_of({"YWNj", "att_1", ""}), "/v1/transactions?reference=att_1&account=YWNj");
  EXPECT_EQ(target_of({"YWNj", "att_1", "pi_1"}),
            "/v1/transactions?reference=att_1&account=YWNj&processor_reference=pi_1");
}

TEST(LookUpTest, AnswerReadsWhatItWrites) {
  EXPECT_EQ(parse_look_up_answer(to_json(look_up())), look_up());
  const LookUpAnswer absent{.outcome = OperationOutcome::failed};
  EXPECT_EQ(parse_look_up_answer(to_json(absent)), absent);
  LookUpAnswer refused{.outcome = OperationOutcome::declined, .processor_reference = "pi_2"};
  refused.status = ProcessorView::Status::declined;
  refused.decline = Decline{DeclineClass::soft, "generic_decline"};
  EXPECT_EQ(parse_look_up_answer(to_json(refused)), refused);
}

TEST(LookUpTest, AnswerRefusesEachFault) {
  const std::string good = to_json(look_up());
  std::string many = "[";
  for (std::size_t i = 0; i <= kLookUpRefundsMax; ++i) many += i == 0 ? "{}" : ",{}";
  many += "]";
  const struct {
    std::string body;
    ProblemType type;
  } rows[] = {
      {with(good, "status", "\"absent\""), ProblemType::invalid_value},
      {with(good, "status", "\"refunded\""), ProblemType::invalid_value},
      {with(good, "amount", "-1"), ProblemType::invalid_value},
      {with(good, "amount_captured", ""), ProblemType::missing_field},
      {with(good, "refunds", ""), ProblemType::missing_field},
      {with(good, "refunds", "[7]"), ProblemType::wrong_type},
      {with(good, "refunds", "[{}]"), ProblemType::missing_field},
      {with(good, "refunds", many.c_str()), ProblemType::invalid_value},
      {with(good, "decline", "{}"), ProblemType::missing_field},
      {with(good, "charges", "[]"), ProblemType::unknown_field},
  };
  for (const auto& row : rows) expect_problem(parse_look_up_answer, row.body, row.type);
}

}  // namespace
}  // namespace strongroom::payments

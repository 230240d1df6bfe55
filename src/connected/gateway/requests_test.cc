#include "connected/gateway/requests.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

#include "base/encoding.h"
#include "connected/gateway/ids.h"
#include "connected/gateway/json.h"

namespace strongroom::connected::gateway {
namespace {

namespace json = boost::json;
using wire::ProblemType;

constexpr char kGood[] = R"({"amount":1099,"currency":"USD","token":"tok_abc234"})";
// The account of docs/formats/connector-seal.md.
constexpr std::string_view kAccountHex =
    "0101020304"
    "0106737472697065056163635f31424242424242424242424242"
    "0016528868ae1af29e04e281be63f713c0ac40767db63353572cb82901e2cabcce40";

std::string account_text() {
  std::vector<std::byte> bytes(kAccountHex.size() / 2);
  EXPECT_TRUE(parse_hex(kAccountHex, bytes));
  return base64url(bytes);
}

json::value with(const char* member, const std::string& value, const char* good = kGood) {
  json::value body = json::parse(good);
  body.as_object()[member] = json::parse(value);
  return body;
}

TEST(PaymentRequestTest, ReadsAllOrTakesDefaults) {
  const auto plain = parse_payment_request(json::parse(kGood));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->amount, 1099);
  EXPECT_TRUE(plain->capture);
  EXPECT_EQ(plain->metadata, "{}");
  EXPECT_EQ(plain->initiator, payments::Initiator::customer);
  const auto full = parse_payment_request(json::parse(
      R"({"amount":9223372036854775807,"currency":"JPY","token":"tok_a","capture":false,
          "initiator":"merchant","connector":"stripe","connector_account":"acc_1",
          "reference":"order 7","metadata":{"k":"v"}})"));
  ASSERT_TRUE(full);
  EXPECT_EQ(full->currency.exponent(), 0);
  EXPECT_FALSE(full->capture);
  EXPECT_EQ(full->initiator, payments::Initiator::merchant);
  EXPECT_EQ(full->connector, "stripe");
  EXPECT_EQ(full->account, "acc_1");
  EXPECT_EQ(full->reference, "order 7");
  EXPECT_EQ(full->metadata, R"({"k":"v"})");
}

TEST(PaymentRequestTest, RefusesEachFault) {
  std::string many = "{";
  for (int i = 0; i < 21; ++i) many += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":\"\"";
  many += "}";
  const struct {
    json::value body;
    ProblemType type;
  } rows[] = {
      {json::parse("{}"), ProblemType::missing_field},
      {with("card", "{}"), ProblemType::unknown_field},
      {with("amount", "0"), ProblemType::invalid_value},
      {with("amount", "-5"), ProblemType::invalid_value},
      {with("amount", "9223372036854775808"), ProblemType::invalid_value},
      {with("amount", "1e3"), ProblemType::wrong_type},
      {with("amount", "\"1\""), ProblemType::wrong_type},
      {with("currency", "\"XTS\""), ProblemType::invalid_value},
      {with("currency", "\"usd\""), ProblemType::invalid_value},
      {with("currency", "840"), ProblemType::wrong_type},
      {with("token", "\"4242424242424242\""), ProblemType::looks_like_card_data},
      {with("token", "\"tok_\""), ProblemType::invalid_value},
      {with("token", "\"tok_a/../b\""), ProblemType::invalid_value},
      {with("token", "\"TOK_a\""), ProblemType::invalid_value},
      {with("capture", "1"), ProblemType::wrong_type},
      {with("initiator", "\"me\""), ProblemType::invalid_value},
      {with("connector", "\"Stripe\""), ProblemType::invalid_value},
      {with("connector_account", "\"acc 1\""), ProblemType::invalid_value},
      {with("connector_account", "\"4242424242424242\""), ProblemType::looks_like_card_data},
      {with("reference", "\"\""), ProblemType::invalid_value},
      {with("reference", "\"4242 4242 4242 4242\""), ProblemType::looks_like_card_data},
      {with("reference", "\"a\\u0007\""), ProblemType::invalid_value},
      {with("reference", '"' + std::string(101, 'r') + '"'), ProblemType::invalid_value},
      {with("metadata", "[]"), ProblemType::wrong_type},
      {with("metadata", "{\"Cvc\":\"737\"}"), ProblemType::looks_like_card_data},
      {with("metadata", "{\"a\":1}"), ProblemType::wrong_type},
      {with("metadata", "{\"\":\"\"}"), ProblemType::invalid_value},
      {with("metadata", "{\"a\":\"4242424242424242\"}"), ProblemType::looks_like_card_data},
      {with("metadata", "{\"4242424242424242\":\"\"}"), ProblemType::looks_like_card_data},
      {with("metadata", "{\"" + std::string(41, 'k') + "\":\"\"}"), ProblemType::invalid_value},
      {with("metadata", "{\"k\":\"" + std::string(501, 'v') + "\"}"), ProblemType::invalid_value},
      {with("metadata", many), ProblemType::invalid_value},
  };
  for (const auto& row : rows) {
    const auto request = parse_payment_request(row.body);
    ASSERT_FALSE(request) << json::serialize(row.body);
    EXPECT_EQ(request.error().type, row.type) << json::serialize(row.body);
    EXPECT_FALSE(request.error().detail.empty() && request.error().pointer.empty());
  }
}

TEST(ChangeRequestTest, TakesAnAmountWhereOneBelongs) {
  EXPECT_FALSE(parse_change_request(json::parse("{}"), true)->has_value());
  EXPECT_EQ(**parse_change_request(json::parse(R"({"amount":5})"), true), 5);
  EXPECT_EQ(parse_change_request(json::parse(R"({"amount":0})"), true).error().type,
            ProblemType::invalid_value);
  EXPECT_EQ(parse_change_request(json::parse(R"({"amount":5})"), false).error().type,
            ProblemType::unknown_field);
}

TEST(JsonBodyTest, IsAnObjectOrNothing) {
  EXPECT_TRUE(parse_json_body({})->as_object().empty());
  EXPECT_EQ(parse_json_body(as_bytes("[]")).error().type, ProblemType::wrong_type);
  EXPECT_EQ(parse_json_body(as_bytes("{")).error().type, ProblemType::malformed_json);
  EXPECT_EQ(parse_json_body(as_bytes(R"({"a":1,"a":1})")).error().type, ProblemType::duplicate_key);
}

TEST(AccountRequestTest, ReadsTheHeadAndRefusesEachFault) {
  const std::string good =
      R"({"merchant":"mer_aaaaaaaaaaaaaaaaaaaaaaaaaa","account":")" + account_text() + "\"}";
  const auto account = parse_account_request(json::parse(good));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->id, "acc_1");
  EXPECT_EQ(account->connector, "stripe");
  EXPECT_EQ(account->sealed, account_text());
  EXPECT_FALSE(parse_account_request(with("merchant", "\"mer_1\"", good.c_str())));
  EXPECT_FALSE(parse_account_request(with("account", "\"YWJj\"", good.c_str())));
  EXPECT_FALSE(parse_account_request(with("x", "1", good.c_str())));
}

TEST(PublicIdTest, HasOneForm) {
  EXPECT_TRUE(is_public_id(payment_id("mer_a", "k"), kPaymentPrefix));
  EXPECT_EQ(payment_id("mer_a", "k"), payment_id("mer_a", "k"));
  EXPECT_NE(payment_id("mer_a", "kk"), payment_id("mer_ak", "k"));
  for (const char* text :
       {"", "pay_", "pay_aaaaaaaaaaaaaaaaaaaaaaaaa", "att_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "pay_aaaaaaaaaaaaaaaaaaaaaaaaa1", "pay_aaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(is_public_id(text, kPaymentPrefix)) << text;
  }
}

TEST(JsonTest, FreeTextIsEscaped) {
  PaymentRow row{.id = "pay_a",
                 .merchant = "mer_a",
                 .currency = *payments::Currency::parse("USD"),
                 .payment = payments::start(payments::Operation::sale, 5),
                 .token = "tok_a",
                 .connector = "stripe",
                 .account_id = "acc_1",
                 .reference = "a \"b\" \\ é",
                 .metadata = R"({"k":"v"})",
                 .first_attempt = "att_a",
                 .processor_reference = "pi_1",
                 .decline = payments::Decline{payments::DeclineClass::soft, "code"},
                 .open_attempt = "att_a"};
  const json::object object = json::parse(to_json(row)).as_object();
  EXPECT_EQ(object.at("reference").as_string(), row.reference);
  EXPECT_EQ(object.at("status").as_string(), "pending");
  EXPECT_EQ(object.at("metadata").as_object().at("k").as_string(), "v");
  EXPECT_EQ(object.at("decline").as_object().at("class").as_string(), "soft");
  EXPECT_FALSE(object.contains("processor_reference"));
  row.reference.clear();
  row.decline.reset();
  EXPECT_TRUE(json::parse(to_json(row)).at("reference").is_null());
  EXPECT_TRUE(json::parse(to_json(row)).at("decline").is_null());
}

}  // namespace
}  // namespace strongroom::connected::gateway

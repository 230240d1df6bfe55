// Stripe's API as a Connector: what goes out, to the letter, and what each answer is taken for.
#include "cde/connectors/stripe/stripe_connector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cde/connectors/stripe/objects.h"
#include "cde/connectors/testing/fake_processor.h"

namespace strongroom::cde::stripe {
namespace {

using payments::Currency;
using payments::DeclineClass;
using payments::Initiator;
using payments::LookUpAnswer;
using payments::OperationOutcome;
using payments::PayAnswer;
using ::testing::HasSubstr;
using Status = payments::ProcessorView::Status;

const Currency kUsd = *Currency::parse("USD");
const std::vector<std::string> kCard{"cus_1", "pm_1"};

std::string intent(std::string_view changes = "") {
  std::map<std::string, std::string> members{{"id", R"("pi_1")"},
                                             {"object", R"("payment_intent")"},
                                             {"amount", "1099"},
                                             {"amount_received", "0"},
                                             {"currency", R"("usd")"},
                                             {"customer", R"("cus_1")"},
                                             {"payment_method", R"("pm_1")"},
                                             {"status", R"("requires_capture")"},
                                             {"metadata", R"({"strongroom_reference":"att_1"})"}};
  while (!changes.empty()) {  // "status=\"succeeded\";amount=5"
    const std::string_view change = changes.substr(0, changes.find(';'));
    changes.remove_prefix(std::min(change.size() + 1, changes.size()));
    const std::size_t equals = change.find('=');
    members[std::string(change.substr(0, equals))] = change.substr(equals + 1);
  }
  std::string out;
  for (const auto& [name, value] : members) {
    out += fmt::format(R"({}"{}":{})", out.empty() ? "" : ",", name, value);
  }
  return "{" + out + "}";
}

std::string refund_json(std::string_view status, std::string_view more = "") {
  return fmt::format(
      R"({{"id":"re_1","object":"refund","amount":99,"currency":"usd","payment_intent":"pi_1",)"
      R"("metadata":{{"strongroom_reference":"att_2"}},"status":"{}"{}}})",
      status, more);
}

std::string error_json(std::string_view type, std::string_view code,
                       std::string_view decline_code = "") {
  std::string more;
  if (!decline_code.empty()) more = fmt::format(R"(,"decline_code":"{}")", decline_code);
  return fmt::format(R"({{"error":{{"type":"{}","code":"{}"{},"message":"no"}}}})", type, code,
                     more);
}

// Of an object that `param` names.
std::string missing_json(std::string_view param) {
  return fmt::format(
      R"({{"error":{{"type":"invalid_request_error","code":"resource_missing","param":"{}"}}}})",
      param);
}

class StripeConnectorTest : public ::testing::Test {
 protected:
  ~StripeConnectorTest() override { loop_.run_until_done(connector_.close()); }

  Charge charge() {
    return {.card = kCard,
            .money = {1099, kUsd},
            .reference = "att_1",
            .idempotency_key = "key_1",
            .initiator = Initiator::customer,
            .settle = false};
  }
  Change change(std::optional<std::int64_t> amount = std::nullopt) {
    return {.processor_reference = "pi_1",
            .amount = amount,
            .currency = kUsd,
            .reference = "att_2",
            .idempotency_key = "key_2",
            .settle = false};
  }
  PayAnswer authorize(const Charge& charge) {
    auto answer = loop_.run_until_done(connector_.authorize(account_, charge));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(PayAnswer{});
  }
  PayAnswer authorize_answered(int status, const std::string& body) {
    processor_.will_answer(status, body);
    return authorize(charge());
  }
  StoredCard store(std::string_view number = "4242424242424242", bool with_code = false) {
    CardFields card{*Pan::parse(number), *ExpiryDate::create(8, 2031), {}, {}};
    if (with_code) {
      card.cvc = *Cvc::parse("123");
      card.name = *SecretBytes::copy_of(as_bytes("Ada & Co"));
    }
    auto stored = loop_.run_until_done(connector_.store(account_, std::move(card), "key_s"));
    EXPECT_TRUE(stored.has_value());
    return stored ? *std::move(stored) : StoredCard{};
  }
  LookUpAnswer look_up(const LookUp& what) {
    auto answer = loop_.run_until_done(connector_.look_up(account_, what));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(LookUpAnswer{});
  }

  testing::FakeProcessor processor_;
  async::Loop loop_;
  StripeConnector connector_{loop_, processor_.client_options()};
  Account account_{"acc_1", "mer_1", *SecretBytes::copy_of(as_bytes("sk_test_1234567890"))};
};

TEST_F(StripeConnectorTest, AuthorizeSendsThisFormAndTheseHeaders) {
  EXPECT_EQ(authorize_answered(200, intent()),
            (PayAnswer{OperationOutcome::approved, "pi_1", std::nullopt}));
  const auto seen = processor_.seen();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].call, "POST /v1/payment_intents");
  EXPECT_EQ(seen[0].body,
            "amount=1099&currency=usd&customer=cus_1&payment_method=pm_1&"
            "payment_method_types[0]=card&confirm=true&capture_method=manual&"
            "metadata[strongroom_reference]=att_1&setup_future_usage=off_session&"
            "error_on_requires_action=true");
  EXPECT_EQ(seen[0].headers.at("authorization"), "Bearer sk_test_1234567890");
  EXPECT_EQ(seen[0].headers.at("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(seen[0].headers.at("stripe-version"), "2023-10-16");
  EXPECT_EQ(seen[0].headers.at("idempotency-key"), key_of(account_, "key_1", "authorize"));
}

TEST_F(StripeConnectorTest, AMerchantsOwnChargeIsOffSession) {
  processor_.will_answer(200, intent("status=\"succeeded\";amount_received=1099"));
  Charge merchant_initiated = charge();
  merchant_initiated.initiator = Initiator::merchant;
  const auto answer = loop_.run_until_done(connector_.sale(account_, merchant_initiated));
  EXPECT_EQ(answer->outcome, OperationOutcome::approved);
  const auto seen = processor_.seen();
  EXPECT_THAT(seen[0].body, HasSubstr("&capture_method=automatic&"));
  EXPECT_THAT(seen[0].body, HasSubstr("&off_session=true"));
  EXPECT_THAT(seen[0].body, ::testing::Not(HasSubstr("setup_future_usage")));
}

TEST_F(StripeConnectorTest, KeysDifferByMerchantAccountStepAndKey) {
  const std::string key = key_of(account_, "key_1", "sale");
  EXPECT_EQ(key, key_of(account_, "key_1", "sale"));
  EXPECT_NE(key, key_of(account_, "key_2", "sale"));
  EXPECT_NE(key, key_of(account_, "key_1", "authorize"));
  EXPECT_NE(key, key_of({"acc_2", "mer_1", {}}, "key_1", "sale"));
  EXPECT_NE(key, key_of({"acc_1", "mer_2", {}}, "key_1", "sale"));
  EXPECT_LE(key.size(), 255U);
}

// Whatever is not whole and about this very charge is no approval.
TEST_F(StripeConnectorTest, AnAnswerAboutSomethingElseIsUnknown) {
  const std::string others[] = {
      "",
      "{",
      "[]",
      "null",
      "<html>",
      "{}",
      intent("id=\"pi_/../x\""),
      intent("id=7"),
      intent("object=\"charge\""),
      intent("client_secret=\"pi_2_secret_x\""),
      intent("amount=1098"),
      intent("amount=\"1099\""),
      intent("currency=\"eur\""),
      intent("customer=\"cus_2\""),
      intent("metadata={}"),
      intent("metadata={\"strongroom_reference\":\"att_2\"}"),
      intent() + "x",
      std::string("{\"pad\":\"") + std::string(300'000, 'x') + "\"}",
  };
  for (const std::string& body : others) {
    EXPECT_EQ(authorize_answered(200, body), PayAnswer{}) << body.substr(0, 80);
    EXPECT_EQ(processor_.seen().size(), 1U);
  }
}

// An intent that is ours but undecided is looked at once more.
TEST_F(StripeConnectorTest, AnUndecidedIntentIsAskedForAgain) {
  processor_.will_answer(200, intent("status=\"processing\""));
  EXPECT_EQ(authorize_answered(200, intent()).outcome, OperationOutcome::approved);
  const auto seen = processor_.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].call, "GET /v1/payment_intents/pi_1");
  for (const std::string_view status : {"processing", "requires_confirmation", "strange"}) {
    const std::string body = intent(fmt::format("status=\"{}\"", status));
    processor_.will_answer(200, body);
    const PayAnswer answer = authorize_answered(200, body);
    EXPECT_EQ(answer.outcome, OperationOutcome::unknown);
    EXPECT_EQ(answer.processor_reference, "pi_1");
  }
  // Another card than was asked for, or taken although it was only to be held.
  for (const std::string_view changes :
       {"payment_method=\"pm_2\"", "status=\"succeeded\";amount_received=1099"}) {
    processor_.will_answer(200, intent(changes));
    EXPECT_EQ(authorize_answered(200, intent(changes)).outcome, OperationOutcome::unknown);
  }
}

TEST_F(StripeConnectorTest, ARefusalMeansWhatItsStatusAndCodeSay) {
  const struct {
    int status;
    std::string body;
    OperationOutcome outcome;
    std::optional<payments::Decline> decline;
    OperationOutcome when_settling;
  } rows[] = {
      {402,
       error_json("card_error", "card_declined", "insufficient_funds"),
       OperationOutcome::declined,
       {{DeclineClass::soft, "insufficient_funds"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "card_declined", "lost_card"),
       OperationOutcome::declined,
       {{DeclineClass::hard, "lost_card"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "incorrect_cvc"),
       OperationOutcome::declined,
       {{DeclineClass::verification_mismatch, "incorrect_cvc"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "incorrect_number"),
       OperationOutcome::declined,
       {{DeclineClass::invalid_card, "incorrect_number"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "authentication_required", "authentication_required"),
       OperationOutcome::declined,
       {{DeclineClass::authentication_needed, "authentication_required"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "card_declined", "duplicate_transaction"),
       OperationOutcome::declined,
       {{DeclineClass::duplicate, "duplicate_transaction"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "card_declined", "brand_new_code"),
       OperationOutcome::declined,
       {{DeclineClass::soft, "brand_new_code"}},
       OperationOutcome::declined},
      {402,
       error_json("card_error", "card_declined", "4242424242424242"),
       OperationOutcome::declined,
       {{DeclineClass::soft, "unknown"}},
       OperationOutcome::declined},
      {400,
       error_json("invalid_request_error", "amount_too_small"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "amount_too_small"}},
       OperationOutcome::failed},
      {404,
       error_json("invalid_request_error", "resource_missing"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "resource_missing"}},
       OperationOutcome::failed},
      {404,
       missing_json("customer"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "processor_token_unknown"}},
       OperationOutcome::failed},
      {400,
       missing_json("payment_method"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "processor_token_unknown"}},
       OperationOutcome::failed},
      {404,
       missing_json("source"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "resource_missing"}},
       OperationOutcome::failed},
      {500, missing_json("customer"), OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {401,
       error_json("invalid_request_error", "api_key_expired"),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "api_key_expired"}},
       OperationOutcome::unknown},
      {403,
       error_json("invalid_request_error", ""),
       OperationOutcome::failed,
       {{DeclineClass::configuration, "unknown"}},
       OperationOutcome::unknown},
      {400,
       error_json("idempotency_error", ""),
       OperationOutcome::unknown,
       {},
       OperationOutcome::unknown},
      {500, error_json("api_error", ""), OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {503, "", OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {302, "", OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {201, intent(), OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {402, "not json", OperationOutcome::unknown, {}, OperationOutcome::unknown},
      {418,
       error_json("api_error", "teapot"),
       OperationOutcome::unknown,
       {},
       OperationOutcome::unknown},
  };
  for (const auto& row : rows) {
    const PayAnswer answer = authorize_answered(row.status, row.body);
    EXPECT_EQ(answer.outcome, row.outcome) << row.status << row.body;
    EXPECT_EQ(answer.decline, row.decline) << row.status << row.body;
    processor_.will_answer(row.status, row.body);
    Charge repeat = charge();
    repeat.settle = true;
    EXPECT_EQ(authorize(repeat).outcome, row.when_settling) << row.status << row.body;
  }
}

TEST_F(StripeConnectorTest, ADeclineNamesItsIntentOnlyWhenItIsOurs) {
  const auto decline_with = [](const std::string& object) {
    return R"({"error":{"type":"card_error","code":"card_declined","payment_intent":)" + object +
           "}}";
  };
  EXPECT_EQ(authorize_answered(402, decline_with(intent())).processor_reference, "pi_1");
  EXPECT_EQ(authorize_answered(402, decline_with(intent("metadata={}"))).processor_reference, "");
}

TEST_F(StripeConnectorTest, ABusyStripeIsWaitedOutALittle) {
  const std::string busy = error_json("invalid_request_error", "rate_limit");
  processor_.will_answer(429, busy);
  EXPECT_EQ(authorize_answered(200, intent()).outcome, OperationOutcome::approved);
  const auto seen = processor_.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].headers.at("idempotency-key"), seen[1].headers.at("idempotency-key"));

  for (int i = 0; i < 2; ++i) processor_.will_answer(429, busy);
  const PayAnswer refused = authorize_answered(429, busy);
  EXPECT_EQ(refused.outcome, OperationOutcome::declined);
  EXPECT_EQ(refused.decline->decline_class, DeclineClass::rate_limited);
}

TEST_F(StripeConnectorTest, AnUnreachableStripeIsAnErrorAndNoOutcome) {
  processor_.stop();
  const auto answer = loop_.run_until_done(connector_.authorize(account_, charge()));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), ErrorCode::unavailable);
}

TEST_F(StripeConnectorTest, AmountsFollowStripesOwnUnits) {
  const struct {
    std::string_view currency;
    std::int64_t minor;
    std::optional<std::string_view> sent;
  } rows[] = {{"USD", 1099, "1099"}, {"JPY", 500, "500"},         {"ISK", 5, "500"},
              {"UGX", 7, "700"},     {"MGA", 1200, "12"},         {"MGA", 1250, std::nullopt},
              {"KWD", 5120, "5120"}, {"KWD", 5124, std::nullopt}, {"LYD", 1000, std::nullopt}};
  for (const auto& row : rows) {
    Charge asked = charge();
    asked.money = {row.minor, *Currency::parse(row.currency)};
    const auto answer = loop_.run_until_done(connector_.authorize(account_, asked));
    const auto seen = processor_.seen();
    ASSERT_EQ(answer.has_value(), row.sent.has_value()) << row.currency;
    ASSERT_EQ(seen.empty(), !row.sent) << row.currency;
    if (row.sent) {
      EXPECT_THAT(seen[0].body, ::testing::StartsWith(fmt::format("amount={}&", *row.sent)));
    } else {
      EXPECT_EQ(answer.error().code(), ErrorCode::invalid_argument);
    }
  }
}

TEST_F(StripeConnectorTest, CaptureAndVoidAreOfTheirIntentOrUnknown) {
  processor_.will_answer(200, intent("status=\"succeeded\";amount_received=500"));
  EXPECT_EQ(*loop_.run_until_done(connector_.capture(account_, change(500))),
            (PayAnswer{OperationOutcome::approved, "pi_1", std::nullopt}));
  processor_.will_answer(200, intent("status=\"canceled\""));
  EXPECT_EQ(*loop_.run_until_done(connector_.void_(account_, change())),
            (PayAnswer{OperationOutcome::approved, "pi_1", std::nullopt}));
  const auto seen = processor_.seen();
  EXPECT_EQ(seen[0].call, "POST /v1/payment_intents/pi_1/capture");
  EXPECT_EQ(seen[0].body, "amount_to_capture=500");
  EXPECT_EQ(seen[1].call, "POST /v1/payment_intents/pi_1/cancel");
  EXPECT_EQ(seen[1].body, "cancellation_reason=requested_by_customer");

  for (const std::string_view changes :
       {"id=\"pi_2\";status=\"succeeded\";amount_received=500",
        "status=\"succeeded\";amount_received=499", "status=\"requires_capture\""}) {
    processor_.will_answer(200, intent(changes));
    EXPECT_EQ(*loop_.run_until_done(connector_.capture(account_, change(500))), PayAnswer{});
  }
  Change elsewhere = change();
  elsewhere.processor_reference = "ch_1/../x";
  EXPECT_FALSE(loop_.run_until_done(connector_.void_(account_, elsewhere)).has_value());
}

TEST_F(StripeConnectorTest, RefundIsFollowedUntilItIsDecided) {
  processor_.will_answer(200, refund_json("succeeded"));
  EXPECT_EQ(*loop_.run_until_done(connector_.refund(account_, change(99))),
            (PayAnswer{OperationOutcome::approved, "re_1", std::nullopt}));
  EXPECT_EQ(processor_.seen()[0].body,
            "payment_intent=pi_1&metadata[strongroom_reference]=att_2&amount=99");

  processor_.will_answer(200, refund_json("pending"));
  processor_.will_answer(200, refund_json("succeeded"));
  EXPECT_EQ(loop_.run_until_done(connector_.refund(account_, change(99)))->outcome,
            OperationOutcome::approved);
  EXPECT_EQ(processor_.seen()[1].call, "GET /v1/refunds/re_1");

  processor_.will_answer(200, refund_json("failed", R"(,"failure_reason":"lost_or_stolen_card")"));
  const auto failed = loop_.run_until_done(connector_.refund(account_, change(99)));
  EXPECT_EQ(failed->outcome, OperationOutcome::declined);
  EXPECT_EQ(failed->decline->decline_class, DeclineClass::hard);

  processor_.will_answer(200, refund_json("succeeded"));
  EXPECT_EQ(*loop_.run_until_done(connector_.refund(account_, change(98))), PayAnswer{});
  processor_.will_answer(400, error_json("invalid_request_error", "charge_already_refunded"));
  EXPECT_EQ(loop_.run_until_done(connector_.refund(account_, change()))->outcome,
            OperationOutcome::failed);
}

constexpr std::string_view kMethod =
    R"({"id":"pm_1","object":"payment_method","customer":null,"card":{"last4":"4242"}})";
constexpr std::string_view kAttached =
    R"({"id":"pm_1","object":"payment_method","customer":"cus_1","card":{"last4":"4242"}})";
constexpr std::string_view kCustomer = R"({"id":"cus_1","object":"customer"})";

TEST_F(StripeConnectorTest, StoreMakesMethodAndCustomerAndJoinsThem) {
  for (const std::string_view body : {kMethod, kCustomer, kAttached}) {
    processor_.will_answer(200, std::string(body));
  }
  const std::size_t before = secret_memory_used_bytes();
  const StoredCard stored = store("4242424242424242", true);
  EXPECT_EQ(stored.outcome, OperationOutcome::approved);
  EXPECT_EQ(stored.ids, kCard);
  const auto seen = processor_.seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].call, "POST /v1/payment_methods");
  EXPECT_EQ(seen[0].body,
            "type=card&card[number]=4242424242424242&card[exp_month]=8&card[exp_year]=2031&"
            "card[cvc]=123&billing_details[name]=Ada%20%26%20Co");
  EXPECT_EQ(seen[1].call, "POST /v1/customers");
  EXPECT_EQ(seen[2].call, "POST /v1/payment_methods/pm_1/attach");
  EXPECT_EQ(seen[2].body, "customer=cus_1");
  std::set<std::string> keys;
  for (const auto& request : seen) keys.insert(request.headers.at("idempotency-key"));
  EXPECT_EQ(keys.size(), 3U);
  EXPECT_LE(secret_memory_used_bytes(), before + 65536);  // what connections keep
}

TEST_F(StripeConnectorTest, StoreOfACardThatIsRefusedLeavesNothing) {
  processor_.will_answer(402, error_json("card_error", "incorrect_number"));
  const StoredCard refused = store();
  EXPECT_EQ(refused.outcome, OperationOutcome::declined);
  EXPECT_EQ(refused.decline->decline_class, DeclineClass::invalid_card);
  EXPECT_EQ(processor_.seen().size(), 1U);

  processor_.will_answer(200, std::string(kMethod));
  processor_.will_answer(200, std::string(kCustomer));
  processor_.will_answer(402, error_json("card_error", "card_declined", "stolen_card"));
  processor_.will_answer(200, R"({"id":"cus_1","object":"customer","deleted":true})");
  const StoredCard declined = store();
  EXPECT_EQ(declined.outcome, OperationOutcome::declined);
  EXPECT_TRUE(declined.ids.empty());
  const auto seen = processor_.seen();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[3].call, "DELETE /v1/customers/cus_1");
}

TEST_F(StripeConnectorTest, StoreBelievesOnlyAnswersAboutThisCard) {
  const std::string other_card =
      R"({"id":"pm_1","object":"payment_method","card":{"last4":"1111"}})";
  const std::string other_method =
      R"({"id":"pm_2","object":"payment_method","customer":"cus_1","card":{"last4":"4242"}})";
  const std::string method(kMethod);
  const std::string customer(kCustomer);
  const std::vector<std::vector<std::string>> answers{
      {other_card},
      {"{"},
      {method, "{}"},
      {method, customer, other_method},
      {method, customer, method},
      {method, R"({"id":"cus_1","object":"customer","deleted":true})"}};
  for (const auto& bodies : answers) {
    for (const std::string& body : bodies) processor_.will_answer(200, body);
    const StoredCard stored = store();
    EXPECT_EQ(stored.outcome, OperationOutcome::unknown);
    EXPECT_TRUE(stored.ids.empty());
    EXPECT_EQ(processor_.seen().size(), bodies.size());
  }
}

TEST_F(StripeConnectorTest, RemoveDetachesAndDeletesAlsoWhatIsGone) {
  const auto removed = [&] {
    const auto outcome = loop_.run_until_done(connector_.remove(account_, kCard));
    return outcome.value_or(OperationOutcome::failed);
  };
  processor_.will_answer(200, std::string(kMethod));
  processor_.will_answer(200, R"({"id":"cus_1","object":"customer","deleted":true})");
  EXPECT_EQ(removed(), OperationOutcome::approved);
  const auto seen = processor_.seen();
  EXPECT_EQ(seen[0].call, "POST /v1/payment_methods/pm_1/detach");
  EXPECT_EQ(seen[1].call, "DELETE /v1/customers/cus_1");

  const std::string missing = error_json("invalid_request_error", "resource_missing");
  processor_.will_answer(404, missing);
  processor_.will_answer(404, missing);
  EXPECT_EQ(removed(), OperationOutcome::approved);
  processor_.will_answer(500, "");
  EXPECT_EQ(removed(), OperationOutcome::unknown);
  processor_.will_answer(200, std::string(kMethod));
  processor_.will_answer(401, error_json("invalid_request_error", ""));
  EXPECT_EQ(removed(), OperationOutcome::unknown);
  EXPECT_FALSE(loop_.run_until_done(connector_.remove(account_, {"x", "y"})).has_value());
}

TEST_F(StripeConnectorTest, LookUpSearchesByReferenceAndReadsTheTruth) {
  processor_.will_answer(200, R"({"object":"search_result","data":[)" + intent() + "]}");
  processor_.will_answer(200, intent("status=\"succeeded\";amount_received=500"));
  processor_.will_answer(200, R"({"object":"list","has_more":false,"data":[)" +
                                  refund_json("succeeded") + "," + refund_json("pending") + "]}");
  const LookUpAnswer answer = look_up({.reference = "att_1"});
  EXPECT_EQ(answer.outcome, OperationOutcome::approved);
  EXPECT_EQ(answer.status, Status::captured);
  EXPECT_EQ(answer.processor_reference, "pi_1");
  EXPECT_EQ(answer.amount, 1099);
  EXPECT_EQ(answer.amount_captured, 500);
  EXPECT_EQ(answer.amount_refunded, 99);
  ASSERT_EQ(answer.refunds.size(), 2U);
  EXPECT_EQ(answer.refunds[0],
            (LookUpAnswer::Refund{"att_2", "re_1", 99, OperationOutcome::approved}));
  EXPECT_EQ(answer.refunds[1].outcome, OperationOutcome::unknown);
  const auto seen = processor_.seen();
  EXPECT_EQ(seen[0].call,
            "GET /v1/payment_intents/search?query=metadata%5B%27strongroom_reference%27%5D%3A"
            "%27att_1%27");
  EXPECT_EQ(seen[1].call, "GET /v1/payment_intents/pi_1");
  EXPECT_EQ(seen[2].call, "GET /v1/refunds?limit=100&payment_intent=pi_1");
}

TEST_F(StripeConnectorTest, LookUpLeavesOutWhatACaptureReleased) {
  const auto refund = [](std::string_view id, int amount) {
    return fmt::format(R"({{"id":"{}","object":"refund","status":"succeeded","amount":{},)"
                       R"("currency":"usd","payment_intent":"pi_1","metadata":{{}}}})",
                       id, amount);
  };
  const struct {
    std::string refunds;
    std::int64_t refunded;
    std::size_t listed;
  } rows[] = {
      {refund("re_1", 599), 0, 0},
      {refund("re_2", 100) + "," + refund("re_1", 599), 100, 1},  // made at Stripe's own desk
      {refund("re_3", 599) + "," + refund("re_1", 599), 599, 1},
  };
  for (const auto& row : rows) {
    processor_.will_answer(200, intent("status=\"succeeded\";amount_received=500"));
    processor_.will_answer(200,
                           R"({"object":"list","has_more":false,"data":[)" + row.refunds + "]}");
    const LookUpAnswer answer = look_up({.reference = "att_1", .processor_reference = "pi_1"});
    EXPECT_EQ(answer.outcome, OperationOutcome::approved);
    EXPECT_EQ(answer.amount_captured, 500);
    EXPECT_EQ(answer.amount_refunded, row.refunded);
    EXPECT_EQ(answer.refunds.size(), row.listed);
  }
}

TEST_F(StripeConnectorTest, LookUpTellsEachState) {
  const struct {
    std::string_view changes;
    OperationOutcome outcome;
    Status status;
  } rows[] = {
      {"", OperationOutcome::approved, Status::authorized},
      {"status=\"canceled\"", OperationOutcome::approved, Status::voided},
      {"status=\"requires_payment_method\";last_payment_error={\"code\":\"expired_card\"}",
       OperationOutcome::declined, Status::declined},
      {"status=\"requires_action\"", OperationOutcome::declined, Status::declined},
      {"status=\"processing\"", OperationOutcome::unknown, Status::absent},
      {"metadata={\"strongroom_reference\":\"att_9\"}", OperationOutcome::unknown, Status::absent},
      {"id=\"pi_2\"", OperationOutcome::unknown, Status::absent},
      {"currency=\"zzz\"", OperationOutcome::unknown, Status::absent},
  };
  for (const auto& row : rows) {
    processor_.will_answer(200, intent(row.changes));
    const LookUpAnswer answer = look_up({.reference = "att_1", .processor_reference = "pi_1"});
    EXPECT_EQ(answer.outcome, row.outcome) << row.changes;
    EXPECT_EQ(answer.status, row.status) << row.changes;
    EXPECT_EQ(answer.decline.has_value(), row.outcome == OperationOutcome::declined);
  }
}

TEST_F(StripeConnectorTest, WhatSearchDoesNotFindIsAbsentOnlyWhenItCannotLag) {
  const std::string nothing = R"({"object":"search_result","data":[]})";
  processor_.will_answer(200, nothing);
  EXPECT_EQ(look_up({.reference = "att_1", .age = std::chrono::minutes(59)}).outcome,
            OperationOutcome::unknown);
  processor_.will_answer(200, nothing);
  const LookUpAnswer absent = look_up({.reference = "att_1", .age = std::chrono::hours(1)});
  EXPECT_EQ(absent.outcome, OperationOutcome::failed);
  EXPECT_EQ(absent.status, Status::absent);
  // Neither an error nor several nor a stranger's is a finding.
  processor_.will_answer(500, "");
  EXPECT_EQ(look_up({.reference = "att_1", .age = std::chrono::hours(9)}).outcome,
            OperationOutcome::unknown);
  const std::string two = R"({"data":[)" + intent() + "," + intent() + "]}";
  processor_.will_answer(200, two);
  EXPECT_EQ(look_up({.reference = "att_1"}).outcome, OperationOutcome::unknown);
  processor_.will_answer(200, R"({"data":[)" + intent("metadata={}") + "]}");
  EXPECT_EQ(look_up({.reference = "att_1"}).outcome, OperationOutcome::unknown);
  // A known charge that is not there is a contradiction, not an absence.
  processor_.will_answer(404, error_json("invalid_request_error", "resource_missing"));
  EXPECT_EQ(
      look_up({.reference = "att_1", .processor_reference = "pi_1", .age = std::chrono::hours(9)})
          .outcome,
      OperationOutcome::unknown);
}

TEST_F(StripeConnectorTest, CredentialsAreOfTheProfile) {
  const auto check = [&](std::string_view text, Profile profile) {
    return connector_.check_credential(as_bytes(text), profile);
  };
  EXPECT_TRUE(check("sk_test_1234567890", Profile::demo).has_value());
  EXPECT_TRUE(check("rk_live_1234567890", Profile::production).has_value());
  EXPECT_EQ(check("sk_live_1234567890", Profile::demo).error().code(),
            ErrorCode::permission_denied);
  EXPECT_EQ(check("sk_live_1", Profile::demo).error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(check("rk_test_1234567890", Profile::production).error().code(),
            ErrorCode::permission_denied);
  for (const std::string_view text :
       {"", "sk_test_", "pk_test_1234567890", "sk_test_12345678 0", "sk_test_1234567890\r\nX: y"}) {
    EXPECT_EQ(check(text, Profile::demo).error().code(), ErrorCode::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace strongroom::cde::stripe

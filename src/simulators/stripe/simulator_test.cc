// Around the methods: keys, versions, idempotency, faults, and what /_sim tells.
#include "simulators/stripe/simulator.h"

#include <gtest/gtest.h>

#include "simulators/stripe/testing/sandbox_fixture.h"

namespace strongroom::simulators::stripe {
namespace {

using testing::Answer;
using testing::Headers;

class SimulatorTest : public testing::SandboxFixture {
 protected:
  static Headers keyed(std::string key) { return {{"idempotency-key", std::move(key)}}; }
  async::Task<void> send_into(std::optional<Answer>& out, std::string target, std::string body,
                              Headers headers) {
    out = co_await send(http::Method::post, std::move(target), std::move(body), std::move(headers));
  }
};

TEST_F(SimulatorTest, TakesTestKeysOnly) {
  const auto with = [&](std::string authorization) {
    return get("/v1/customers/cus_x", {{"authorization", std::move(authorization)}});
  };
  EXPECT_EQ(with("Bearer sk_test_abc").status, 404);
  EXPECT_EQ(with("Basic c2tfdGVzdF9hYmM6").status, 404);  // sk_test_abc:
  for (const char* wrong :
       {"", "Bearer sk_live_abc", "Bearer sk_test_", "Bearer sk_test_a b", "Bearer pk_test_abc",
        "Basic c2tfdGVzdF9hYmM=", "Basic !", "Digest sk_test_abc", "sk_test_abc"}) {
    const Answer answer = with(wrong);
    EXPECT_EQ(answer.status, 401) << wrong;
    EXPECT_EQ(answer.at("/error/type"), "invalid_request_error");
    EXPECT_EQ(answer.text.find("abc"), std::string::npos);
  }
}

TEST_F(SimulatorTest, KeepsAccountsApart) {
  const std::string made = customer();
  const Headers other{{"authorization", "Bearer sk_test_two"}};
  EXPECT_EQ(get("/v1/customers/" + made, other).status, 404);
  EXPECT_EQ(get("/v1/customers/" + made).status, 200);
  const std::string key = "the same key";
  const Answer one = post("/v1/customers", "", keyed(key));
  const Answer two = post("/v1/customers", "",
                          {{"idempotency-key", key}, {"authorization", "Bearer sk_test_two"}});
  EXPECT_NE(one.at("/id"), two.at("/id"));
  const Answer paid = pay(stored("4242424242424242"), "&metadata[ref]=A1");
  EXPECT_EQ(get("/v1/payment_intents/search?query=metadata['ref']:'A1'", other)
                .body.at("data")
                .as_array()
                .size(),
            0u);
}

TEST_F(SimulatorTest, AnswersWithItsFields) {
  const Answer answer =
      post("/v1/customers", "", {{"stripe-version", "2024-06-20"}, {"idempotency-key", "k1"}});
  EXPECT_EQ(answer.header("Stripe-Version"), "2024-06-20");
  EXPECT_EQ(answer.header("Idempotency-Key"), "k1");
  EXPECT_TRUE(answer.header("Request-Id").starts_with("req_"));
  EXPECT_EQ(answer.header("Idempotent-Replayed"), "");
  EXPECT_EQ(get("/v1/customers/cus_x").header("Stripe-Version"), "2026-07-29.dahlia");
  for (const char* wrong : {"latest", "2024-6-20", "2024-06-20.", "2024-06-20dahlia"}) {
    EXPECT_EQ(post("/v1/customers", "", {{"stripe-version", wrong}}).status, 400) << wrong;
  }
}

TEST_F(SimulatorTest, TellsUnknownUrls) {
  for (const char* path : {"/v1/nothing", "/v1/payment_intents/pi_1/capture/more"}) {
    const Answer answer = post(path, "");
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.at("/error/message"), "Unrecognized request URL.");
  }
  EXPECT_EQ(get("/v1/payment_intents/pi_1/capture").status, 404);
}

TEST_F(SimulatorTest, WantsForms) {
  const Answer answer = post("/v1/customers", "{}", {{"content-type", "application/json"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.at("/error/type"), "invalid_request_error");
  EXPECT_EQ(post("/v1/customers", "name=%f").status, 400);
  EXPECT_EQ(post("/v1/customers", "name=a&name=b").status, 400);
}

TEST_F(SimulatorTest, RepeatsTheAnswerToAKey) {
  const std::string body = "name=Jenny";
  const Answer first = post("/v1/customers", body, keyed("k1"));
  const Answer again = post("/v1/customers", body, keyed("k1"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
  EXPECT_EQ(again.header("Original-Request"), first.header("Request-Id"));
  EXPECT_NE(again.header("Request-Id"), first.header("Request-Id"));
  EXPECT_NE(post("/v1/customers", body, keyed("k2")).at("/id"), first.at("/id"));
  EXPECT_EQ(get("/_sim/requests").number("/replayed"), 1);
}

TEST_F(SimulatorTest, RepeatsADecline) {
  const std::string with = stored("4000000000000341");
  const Answer first = pay(with, "", keyed("k1"));
  const Answer again = pay(with, "", keyed("k1"));
  EXPECT_EQ(first.status, 402);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(charges().number("/count"), 1);
}

TEST_F(SimulatorTest, RefusesAKeyForAnotherRequest) {
  post("/v1/customers", "name=Jenny", keyed("k1"));
  for (const Answer& answer : {post("/v1/customers", "name=John", keyed("k1")),
                               post("/v1/refunds", "name=Jenny", keyed("k1"))}) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.at("/error/type"), "idempotency_error");
  }
}

TEST_F(SimulatorTest, ForgetsAKeyAfterADay) {
  const Answer first = post("/v1/customers", "", keyed("k1"));
  clock_.now += std::int64_t{24} * 3600 * 1'000'000 - 1;
  EXPECT_EQ(post("/v1/customers", "", keyed("k1")).at("/id"), first.at("/id"));
  clock_.now += 1;
  EXPECT_NE(post("/v1/customers", "", keyed("k1")).at("/id"), first.at("/id"));
}

TEST_F(SimulatorTest, KeepsNoAnswerOfARequestThatWasNotExecuted) {
  EXPECT_EQ(post("/v1/customers", "nam=Jenny", keyed("k1")).code(), "parameter_unknown");
  EXPECT_EQ(post("/v1/customers", "name=Jenny", keyed("k1")).status, 200);
}

TEST_F(SimulatorTest, BoundsKeys) {
  EXPECT_EQ(post("/v1/customers", "", keyed(std::string(255, 'k'))).status, 200);
  EXPECT_EQ(post("/v1/customers", "", keyed(std::string(256, 'k'))).status, 400);
}

TEST_F(SimulatorTest, SaysThatAKeyIsInUse) {
  fault(R"({"path":"/v1/customers","kind":"slow","when":"before_effect","delay_ms":200})");
  std::optional<Answer> slow;
  async::spawn(send_into(slow, "/v1/customers", "name=Jenny", keyed("k1")));
  const Answer meanwhile = post("/v1/customers", "name=Jenny", keyed("k1"));
  EXPECT_EQ(meanwhile.status, 409);
  EXPECT_EQ(meanwhile.code(), "idempotency_key_in_use");
  EXPECT_EQ(meanwhile.header("Stripe-Should-Retry"), "true");
  loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(500)));
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(slow->status, 200);
  EXPECT_EQ(post("/v1/customers", "name=Jenny", keyed("k1")).text, slow->text);
}

TEST_F(SimulatorTest, LosesAnswersBeforeAndAfterTheEffect) {
  struct Row {
    const char* kind;
    http::Delivery delivery;
  };
  int expected = 0;
  for (const Row& row :
       {Row{"timeout", http::Delivery::withheld}, Row{"reset", http::Delivery::reset}}) {
    for (const bool after : {false, true}) {
      const std::string with = stored("4242424242424242");
      const std::string key = row.kind + std::to_string(after);
      fault(std::string(R"({"path":"/v1/payment_intents","kind":")") + row.kind + R"(","when":")" +
            (after ? "after" : "before") + R"(_effect"})");
      EXPECT_EQ(pay(with, "", keyed(key)).delivery, row.delivery);
      expected += after ? 1 : 0;
      EXPECT_EQ(charges().number("/count"), expected) << key;
      const Answer again = pay(with, "", keyed(key));
      EXPECT_EQ(again.at("/status"), "succeeded");
      EXPECT_EQ(again.header("Idempotent-Replayed"), after ? "true" : "");
      expected += after ? 0 : 1;
      EXPECT_EQ(charges().number("/count"), expected) << key;
    }
  }
  EXPECT_EQ(get("/_sim/requests").number("/faulted"), 4);
}

TEST_F(SimulatorTest, KeepsA500ForGood) {
  for (const bool after : {false, true}) {
    restart({});
    const std::string with = stored("4242424242424242");
    fault(std::string(R"({"path":"/v1/payment_intents","kind":"500","when":")") +
          (after ? "after" : "before") + R"(_effect"})");
    const Answer first = pay(with, "&metadata[ref]=A1", keyed("k1"));
    EXPECT_EQ(first.status, 500);
    EXPECT_EQ(first.at("/error/type"), "api_error");
    const Answer again = pay(with, "&metadata[ref]=A1", keyed("k1"));
    EXPECT_EQ(again.status, 500);
    EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
    const Answer found = get("/v1/payment_intents/search?query=metadata['ref']:'A1'");
    EXPECT_EQ(found.body.at("data").as_array().size(), after ? 1u : 0u);
  }
}

TEST_F(SimulatorTest, LetsARepetitionThroughAfterA503) {
  for (const bool after : {false, true}) {
    restart({});
    const std::string with = stored("4242424242424242");
    fault(std::string(R"({"path":"/v1/payment_intents","kind":"503","when":")") +
          (after ? "after" : "before") + R"(_effect"})");
    EXPECT_EQ(pay(with, "", keyed("k1")).status, 503);
    const Answer again = pay(with, "", keyed("k1"));
    EXPECT_EQ(again.at("/status"), "succeeded");
    EXPECT_EQ(charges().number("/count"), 1);
  }
}

TEST_F(SimulatorTest, AnswersGarbage) {
  fault(R"({"path":"/v1/payment_intents","kind":"garbage"})");
  const Answer first = pay(stored("4242424242424242"));
  EXPECT_EQ(first.status, 200);
  EXPECT_TRUE(first.body.is_null());
  EXPECT_NE(first.text, "");
  EXPECT_EQ(charges().number("/count"), 1);
}

TEST_F(SimulatorTest, AnswersAtLength) {
  fault(R"({"path":"/v1/payment_intents","kind":"huge"})");
  const Answer paid = pay(stored("4242424242424242"));
  EXPECT_GT(paid.text.size(), std::size_t{10} << 20);
  EXPECT_EQ(paid.at("/status"), "succeeded");
}

TEST_F(SimulatorTest, AnswersOfAnotherPayment) {
  const Answer other = pay(stored("4242424242424242"), "&metadata[ref]=other");
  const std::string with = stored("4242424242424242");
  fault(R"({"path":"/v1/payment_intents","kind":"other_id"})");
  const Answer wrong = pay(with, "&metadata[ref]=own", keyed("k1"));
  EXPECT_EQ(wrong.at("/id"), other.at("/id"));
  EXPECT_EQ(wrong.at("/metadata/ref"), "other");
  const Answer again = pay(with, "&metadata[ref]=own", keyed("k1"));
  EXPECT_EQ(again.at("/metadata/ref"), "own");

  fault(R"({"path":"/v1/refunds","kind":"other_id"})");
  const Answer refund = post("/v1/refunds", "payment_intent=" + again.at("/id"));
  EXPECT_EQ(refund.at("/payment_intent"), other.at("/id"));
  fault(R"({"path":"/v1/payment_intents/search","kind":"other_id"})");
  EXPECT_EQ(get("/v1/payment_intents/search?query=metadata['ref']:'none'").at("/data/0/id"),
            again.at("/id"));
}

TEST_F(SimulatorTest, InventsAnotherPaymentWhereThereIsNone) {
  const std::string with = stored("4242424242424242");
  fault(R"({"path":"/v1/payment_intents","kind":"other_id"})");
  const Answer wrong = pay(with);
  EXPECT_TRUE(wrong.at("/id").starts_with("pi_"));
  EXPECT_NE(wrong.at("/id"), charges().at("/charges/0/payment_intent"));
}

TEST_F(SimulatorTest, DeclinesOnDemand) {
  const std::string with = stored("4242424242424242");
  fault(R"({"path":"/v1/payment_intents","kind":"decline","decline_code":"do_not_honor"})");
  const Answer refused = pay(with);
  EXPECT_EQ(refused.code(), "card_declined");
  EXPECT_EQ(refused.at("/error/decline_code"), "do_not_honor");
  EXPECT_EQ(pay(with).at("/status"), "succeeded");
  fault(R"({"path":"/v1/payment_methods/*/attach","kind":"decline","decline_code":"lost_card"})");
  EXPECT_EQ(
      post("/v1/payment_methods/" + card("4242424242424242") + "/attach", "customer=" + customer())
          .at("/error/decline_code"),
      "lost_card");
}

TEST_F(SimulatorTest, IsSlowOnDemandUntilItStops) {
  fault(R"({"path":"/v1/customers","kind":"slow","delay_ms":120})");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(post("/v1/customers", "").status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(120));
  fault(R"({"path":"/v1/customers","kind":"slow","delay_ms":600000})");
  simulator_->stop();
  EXPECT_EQ(post("/v1/customers", "").status, 200);
}

TEST_F(SimulatorTest, CountsRequestsByRoute) {
  get("/v1/customers/" + customer());
  get("/v1/customers/cus_x");
  get("/v1/nothing");
  const Answer seen = get("/_sim/requests");
  EXPECT_EQ(seen.body.at("by_route").at("POST /v1/customers").to_number<int>(), 1);
  EXPECT_EQ(seen.body.at("by_route").at("GET /v1/customers/{id}").to_number<int>(), 2);
  EXPECT_EQ(seen.body.at("by_route").at("unrecognized").to_number<int>(), 1);
}

TEST_F(SimulatorTest, ClearsFaults) {
  fault(R"({"path":"/v1/customers","kind":"503","count":5})");
  EXPECT_EQ(post("/v1/customers", "").status, 503);
  EXPECT_EQ(erase("/_sim/faults").number("/unused"), 4);
  EXPECT_EQ(post("/v1/customers", "").status, 200);
  EXPECT_EQ(post("/_sim/faults", R"({"path":"/v1","kind":"fire"})").status, 422);
}

TEST_F(SimulatorTest, ShowsChargesUpToALimit) {
  for (int i = 0; i < 3; ++i) pay(stored("4242424242424242"));
  const Answer shown = get("/_sim/charges?limit=2");
  EXPECT_EQ(shown.number("/count"), 3);
  EXPECT_EQ(shown.body.at("charges").as_array().size(), 2u);
}

TEST_F(SimulatorTest, RefusesParametersByTheirTables) {
  const auto code = [&](const std::string& path, const std::string& form) {
    return post(path, form).code() + " " + post(path, form).param();
  };
  const std::string intents = "/v1/payment_intents";
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&amout=1"), "parameter_unknown amout");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&payment_method_options[card][moto]=true"),
            "parameter_unknown payment_method_options[card][moto]");
  EXPECT_EQ(code(intents, "amount[x]=1099&currency=usd"), "parameter_unknown amount[x]");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&metadata=x"), "parameter_unknown metadata");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&metadata[a][b]=x"),
            "parameter_unknown metadata[a][b]");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&expand=x"), "parameter_unknown expand");
  EXPECT_EQ(code(intents, "currency=usd"), "parameter_missing amount");
  EXPECT_EQ(code(intents, "amount=1099"), "parameter_missing currency");
  EXPECT_EQ(code(intents, "amount=ten&currency=usd"), "parameter_invalid_integer amount");
  EXPECT_EQ(code(intents, "amount=&currency=usd"), "parameter_invalid_empty amount");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&confirm=yes"), " confirm");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&capture_method=late"), " capture_method");
  EXPECT_EQ(code(intents, "amount=1099&currency=usd&statement_descriptor=" + std::string(23, 'x')),
            " statement_descriptor");
  EXPECT_EQ(code("/v1/payment_methods/pm_x/attach", ""), "parameter_missing customer");
  EXPECT_EQ(get("/v1/payment_intents/search").param(), "query");
  EXPECT_EQ(get("/v1/refunds?refund=x").code(), "parameter_unknown");
}

TEST_F(SimulatorTest, BoundsMetadata) {
  std::string many;
  for (int i = 0; i < 50; ++i) many += "&metadata[k" + std::to_string(i) + "]=v";
  EXPECT_EQ(post("/v1/customers", many).status, 200);
  EXPECT_EQ(post("/v1/customers", many + "&metadata[k50]=v").param(), "metadata");
  EXPECT_EQ(post("/v1/customers", "metadata[" + std::string(41, 'k') + "]=v").param(), "metadata");
  EXPECT_EQ(post("/v1/customers", "metadata[k]=" + std::string(501, 'v')).param(), "metadata[k]");
}

}  // namespace
}  // namespace strongroom::simulators::stripe

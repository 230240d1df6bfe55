// The API's methods: what each makes of its objects, and what it refuses.
#include <gtest/gtest.h>

#include "simulators/stripe/testing/sandbox_fixture.h"

namespace strongroom::simulators::stripe {
namespace {

using testing::Answer;

class PaymentsTest : public testing::SandboxFixture {};

TEST_F(PaymentsTest, CreatesACustomer) {
  const Answer made =
      post("/v1/customers", "name=Jenny+Rosen&email=j%40example.com&metadata[merchant]=mer_1");
  EXPECT_EQ(made.status, 200);
  EXPECT_TRUE(made.at("/id").starts_with("cus_"));
  EXPECT_EQ(made.at("/name"), "Jenny Rosen");
  EXPECT_EQ(made.at("/metadata/merchant"), "mer_1");
  const Answer got = get("/v1/customers/" + made.at("/id"));
  EXPECT_EQ(got.text, made.text);
}

TEST_F(PaymentsTest, DeletesACustomerWithItsMethods) {
  const std::string owner = customer();
  const std::string method = card("4242424242424242");
  post("/v1/payment_methods/" + method + "/attach", "customer=" + owner);
  EXPECT_TRUE(erase("/v1/customers/" + owner).body.at("deleted").as_bool());
  EXPECT_TRUE(get("/v1/customers/" + owner).body.at("deleted").as_bool());
  EXPECT_EQ(erase("/v1/customers/" + owner).status, 404);
  EXPECT_EQ(pay("payment_method=" + method).status, 400);
  EXPECT_EQ(pay("payment_method=" + method + "&customer=" + owner).status, 404);
}

TEST_F(PaymentsTest, KeepsNoCardNumber) {
  const Answer made =
      post("/v1/payment_methods", card_form("4242424242424242") + "&billing_details[name]=Jenny");
  EXPECT_EQ(made.at("/card/last4"), "4242");
  EXPECT_EQ(made.at("/card/brand"), "visa");
  EXPECT_EQ(made.number("/card/exp_year"), 2030);
  EXPECT_EQ(made.at("/billing_details/name"), "Jenny");
  EXPECT_EQ(made.text.find("42424242"), std::string::npos);
}

TEST_F(PaymentsTest, FingerprintsAreOfTheNumberAlone) {
  const Answer one = get("/v1/payment_methods/" + card("4242424242424242"));
  const Answer same = get("/v1/payment_methods/" + card("4242424242424242"));
  const Answer other = get("/v1/payment_methods/" + card("5555555555554444"));
  EXPECT_EQ(one.at("/card/fingerprint"), same.at("/card/fingerprint"));
  EXPECT_NE(one.at("/card/fingerprint"), other.at("/card/fingerprint"));
  restart({});
  const Answer later = get("/v1/payment_methods/" + card("4242424242424242"));
  EXPECT_NE(one.at("/card/fingerprint"), later.at("/card/fingerprint"));
}

TEST_F(PaymentsTest, SellsInOneCall) {
  const Answer paid = pay("payment_method=" + card("4242424242424242"), "&metadata[ref]=A1");
  EXPECT_EQ(paid.status, 200);
  EXPECT_EQ(paid.at("/status"), "succeeded");
  EXPECT_EQ(paid.number("/amount_received"), 1099);
  EXPECT_EQ(paid.number("/amount_capturable"), 0);
  EXPECT_TRUE(paid.at("/latest_charge").starts_with("ch_"));
  EXPECT_EQ(charges().at("/charges/0/status"), "captured");
  EXPECT_EQ(charges().at("/charges/0/metadata/ref"), "A1");
}

TEST_F(PaymentsTest, AuthorizesAndCapturesAPart) {
  const Answer held = pay(stored("4242424242424242"), "&capture_method=manual");
  EXPECT_EQ(held.at("/status"), "requires_capture");
  EXPECT_EQ(held.number("/amount_capturable"), 1099);
  EXPECT_EQ(held.number("/amount_received"), 0);
  const std::string path = "/v1/payment_intents/" + held.at("/id");
  EXPECT_EQ(post(path + "/capture", "amount_to_capture=1100").code(), "amount_too_large");
  EXPECT_EQ(post(path + "/capture", "amount_to_capture=0").code(), "parameter_invalid_integer");
  const Answer captured = post(path + "/capture", "amount_to_capture=500");
  EXPECT_EQ(captured.at("/status"), "succeeded");
  EXPECT_EQ(captured.number("/amount"), 1099);
  EXPECT_EQ(captured.number("/amount_received"), 500);
  EXPECT_EQ(captured.number("/amount_capturable"), 0);
  EXPECT_EQ(post(path + "/capture", "").code(), "payment_intent_unexpected_state");
  EXPECT_EQ(charges().number("/charges/0/amount_captured"), 500);
}

TEST_F(PaymentsTest, ShowsWhatItReleasesAsARefund) {
  const Answer part = pay(stored("4242424242424242"), "&capture_method=manual");
  const std::string path = "/v1/payment_intents/" + part.at("/id");
  const Answer captured = post(path + "/capture", "amount_to_capture=500&expand[]=latest_charge");
  EXPECT_EQ(captured.number("/latest_charge/amount_refunded"), 599);
  EXPECT_FALSE(captured.body.at("latest_charge").at("refunded").as_bool());
  const Answer list = get("/v1/refunds?payment_intent=" + part.at("/id"));
  ASSERT_EQ(list.body.at("data").as_array().size(), 1u);
  EXPECT_EQ(list.number("/data/0/amount"), 599);
  EXPECT_EQ(list.at("/data/0/status"), "succeeded");
  EXPECT_TRUE(list.body.at("data").at(0).at("metadata").as_object().empty());
  EXPECT_EQ(post("/v1/refunds", "payment_intent=" + part.at("/id")).number("/amount"), 500);
  EXPECT_EQ(charges().number("/charges/0/amount_refunded"), 500);
  EXPECT_EQ(charges().body.at("charges").at(0).at("refunds").as_array().size(), 1u);
  EXPECT_TRUE(
      get(path + "?expand[]=latest_charge").body.at("latest_charge").at("refunded").as_bool());

  const Answer held = pay(stored("4242424242424242"), "&capture_method=manual");
  post("/v1/payment_intents/" + held.at("/id") + "/cancel", "");
  EXPECT_EQ(get("/v1/refunds?payment_intent=" + held.at("/id")).number("/data/0/amount"), 1099);
  EXPECT_EQ(charges().number("/charges/0/amount_refunded"), 0);
}

TEST_F(PaymentsTest, CancelsAnAuthorizationOnly) {
  const Answer held = pay(stored("4242424242424242"), "&capture_method=manual");
  const std::string path = "/v1/payment_intents/" + held.at("/id");
  const Answer canceled = post(path + "/cancel", "cancellation_reason=requested_by_customer");
  EXPECT_EQ(canceled.at("/status"), "canceled");
  EXPECT_EQ(canceled.at("/cancellation_reason"), "requested_by_customer");
  EXPECT_EQ(canceled.number("/amount_capturable"), 0);
  EXPECT_EQ(charges().at("/charges/0/status"), "reversed");
  EXPECT_EQ(post(path + "/capture", "").code(), "payment_intent_unexpected_state");

  const Answer paid = pay(stored("4242424242424242"));
  const Answer refused = post("/v1/payment_intents/" + paid.at("/id") + "/cancel", "");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.code(), "payment_intent_unexpected_state");
  EXPECT_EQ(refused.at("/error/message"),
            "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a "
            "PaymentIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_capture, requires_confirmation, requires_action.");
  EXPECT_EQ(refused.at("/error/payment_intent/id"), paid.at("/id"));
}

TEST_F(PaymentsTest, ConfirmsLaterAndAgainAfterADecline) {
  const std::string with = stored("4000000000000341");
  const Answer made =
      post("/v1/payment_intents", "amount=1099&currency=usd&payment_method_types[]=card&" + with);
  EXPECT_EQ(made.at("/status"), "requires_confirmation");
  const std::string path = "/v1/payment_intents/" + made.at("/id");
  EXPECT_EQ(post(path + "/confirm", "").status, 402);
  EXPECT_EQ(get(path).at("/status"), "requires_payment_method");
  EXPECT_EQ(get(path).at("/last_payment_error/decline_code"), "generic_decline");
  EXPECT_EQ(post(path + "/confirm", "").code(), "payment_intent_unexpected_state");
  const Answer paid = post(path + "/confirm", "payment_method=" + card("4242424242424242"));
  EXPECT_EQ(paid.at("/status"), "succeeded");
  EXPECT_FALSE(paid.has("/last_payment_error/code"));
  EXPECT_EQ(post(path + "/confirm", "").code(), "payment_intent_unexpected_state");
  EXPECT_EQ(charges().number("/count"), 2);
}

TEST_F(PaymentsTest, SpendsAnUnattachedMethodByItsFirstPayment) {
  const std::string method = card("4242424242424242");
  EXPECT_EQ(pay("payment_method=" + method).status, 200);
  const Answer again = pay("payment_method=" + method);
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.at("/error/type"), "invalid_request_error");
  EXPECT_NE(again.at("/error/message").find("may not be used again"), std::string::npos);
  EXPECT_EQ(post("/v1/payment_methods/" + method + "/attach", "customer=" + customer()).status,
            400);
  EXPECT_EQ(charges().number("/count"), 1);
}

TEST_F(PaymentsTest, LetsACustomerKeepTheMethodOfAPayment) {
  const std::string owner = customer();
  const std::string with = "payment_method=" + card("4242424242424242") + "&customer=" + owner;
  EXPECT_EQ(pay(with, "&setup_future_usage=off_session").status, 200);
  EXPECT_EQ(pay(with, "&off_session=true").status, 200);
}

TEST_F(PaymentsTest, PaysFromAStoredMethodForItsCustomerOnly) {
  const std::string with = stored("4242424242424242");
  EXPECT_EQ(pay(with).status, 200);
  EXPECT_EQ(pay(with, "&off_session=true").status, 200);
  const std::string method = with.substr(with.find("payment_method="));
  EXPECT_EQ(pay(method).param(), "payment_method");
  EXPECT_EQ(pay(method + "&customer=" + customer()).param(), "payment_method");
}

TEST_F(PaymentsTest, DetachEndsAMethod) {
  const std::string with = stored("4242424242424242");
  const std::string method = with.substr(with.find("pm_"));
  EXPECT_EQ(post("/v1/payment_methods/" + method + "/detach", "").status, 200);
  EXPECT_EQ(post("/v1/payment_methods/" + method + "/detach", "").status, 400);
  EXPECT_EQ(pay(with).status, 400);
  EXPECT_EQ(get("/v1/payment_methods/" + method).status, 200);
}

TEST_F(PaymentsTest, RefundsUpToWhatWasCaptured) {
  const Answer paid = pay(stored("4242424242424242"));
  const std::string of = "payment_intent=" + paid.at("/id");
  const Answer part = post("/v1/refunds", of + "&amount=99&metadata[ref]=R1");
  EXPECT_EQ(part.at("/status"), "succeeded");
  EXPECT_EQ(part.number("/amount"), 99);
  EXPECT_EQ(part.at("/charge"), paid.at("/latest_charge"));
  EXPECT_EQ(post("/v1/refunds", of + "&amount=1001").param(), "amount");
  EXPECT_EQ(post("/v1/refunds", of + "&amount=0").code(), "parameter_invalid_integer");
  EXPECT_EQ(post("/v1/refunds", "charge=" + paid.at("/latest_charge")).number("/amount"), 1000);
  EXPECT_EQ(post("/v1/refunds", of).code(), "charge_already_refunded");
  EXPECT_EQ(get("/v1/refunds/" + part.at("/id")).at("/metadata/ref"), "R1");
  const Answer list = get("/v1/refunds?payment_intent=" + paid.at("/id"));
  EXPECT_EQ(list.body.at("data").as_array().size(), 2u);
  EXPECT_EQ(list.number("/data/1/amount"), 99);
  const Answer page = get("/v1/refunds?limit=1&payment_intent=" + paid.at("/id"));
  EXPECT_TRUE(page.body.at("has_more").as_bool());
  const Answer rest = get("/v1/refunds?starting_after=" + page.at("/data/0/id"));
  EXPECT_EQ(rest.number("/data/0/amount"), 99);
  EXPECT_FALSE(rest.body.at("has_more").as_bool());
}

TEST_F(PaymentsTest, RefusesARefundOfWhatWasNotCaptured) {
  const Answer held = pay(stored("4242424242424242"), "&capture_method=manual");
  EXPECT_EQ(post("/v1/refunds", "payment_intent=" + held.at("/id")).status, 400);
  EXPECT_EQ(post("/v1/refunds", "charge=" + held.at("/latest_charge")).status, 400);
  EXPECT_EQ(post("/v1/refunds", "payment_intent=pi_none").status, 404);
  EXPECT_EQ(post("/v1/refunds", "charge=ch_none").status, 404);
  EXPECT_EQ(post("/v1/refunds", "").code(), "parameter_missing");
}

TEST_F(PaymentsTest, PlaysTheRefundsOfItsTestCards) {
  const Answer slow = pay(stored("4000000000007726"));
  const Answer pending = post("/v1/refunds", "payment_intent=" + slow.at("/id"));
  EXPECT_EQ(pending.at("/status"), "pending");
  const Answer bad = pay(stored("4000000000005126"));
  const Answer failing = post("/v1/refunds", "payment_intent=" + bad.at("/id"));
  EXPECT_EQ(failing.at("/status"), "succeeded");
  clock_.now += 2'000'000;
  EXPECT_EQ(get("/v1/refunds/" + pending.at("/id")).at("/status"), "succeeded");
  EXPECT_EQ(get("/v1/refunds/" + failing.at("/id")).at("/status"), "failed");
  EXPECT_EQ(charges().number("/charges/0/amount_refunded"), 0);
  EXPECT_EQ(charges().number("/charges/1/amount_refunded"), 1099);
}

TEST_F(PaymentsTest, RefusesAmountsThatAreNone) {
  const std::string with = "payment_method_types[]=card&currency=usd&amount=";
  EXPECT_EQ(post("/v1/payment_intents", with + "0").code(), "parameter_invalid_integer");
  EXPECT_EQ(post("/v1/payment_intents", with + "-5").code(), "parameter_invalid_integer");
  EXPECT_EQ(post("/v1/payment_intents", with + "1.5").code(), "parameter_invalid_integer");
  EXPECT_EQ(post("/v1/payment_intents", with + "9223372036854775808").code(),
            "parameter_invalid_integer");
  EXPECT_EQ(post("/v1/payment_intents", with + "49").code(), "amount_too_small");
  EXPECT_EQ(post("/v1/payment_intents", with + "100000000").code(), "amount_too_large");
  EXPECT_EQ(post("/v1/payment_intents", with + "50").status, 200);
  EXPECT_EQ(post("/v1/payment_intents", "amount=1099&currency=USD").param(), "currency");
  EXPECT_EQ(post("/v1/payment_intents", "amount=1099&currency=xxx").param(), "currency");
  EXPECT_EQ(post("/v1/payment_intents", "amount=1001&currency=kwd").param(), "amount");
  EXPECT_EQ(post("/v1/payment_intents", "amount=1010&currency=kwd").status, 200);
  EXPECT_EQ(post("/v1/payment_intents", "amount=50&currency=jpy").status, 200);
}

TEST_F(PaymentsTest, WantsAWayBackFromARedirect) {
  const std::string with = "amount=1099&currency=usd&confirm=true&payment_method=";
  EXPECT_EQ(post("/v1/payment_intents", with + card("4242424242424242")).param(), "return_url");
  for (const char* more : {"&return_url=https%3A%2F%2Fexample.com", "&payment_method_types[]=card",
                           "&automatic_payment_methods[enabled]=true&automatic_payment_methods["
                           "allow_redirects]=never"}) {
    EXPECT_EQ(post("/v1/payment_intents", with + card("4242424242424242") + more).status, 200)
        << more;
  }
  EXPECT_EQ(post("/v1/payment_intents", with + card("4242424242424242") +
                                            "&payment_method_types[]=card&automatic_payment_"
                                            "methods[enabled]=true")
                .status,
            400);
  EXPECT_EQ(
      pay("payment_method=" + card("4242424242424242"), "&payment_method_types[]=ideal").param(),
      "payment_method_types");
}

TEST_F(PaymentsTest, ConfirmNeedsAMethod) {
  EXPECT_EQ(pay("").param(), "payment_method");
  const Answer made = post("/v1/payment_intents", "amount=1099&currency=usd");
  EXPECT_EQ(made.at("/status"), "requires_payment_method");
  EXPECT_EQ(post("/v1/payment_intents/" + made.at("/id") + "/confirm", "").code(),
            "payment_intent_unexpected_state");
  EXPECT_EQ(post("/v1/payment_intents", "amount=1099&currency=usd&off_session=true").param(),
            "off_session");
}

TEST_F(PaymentsTest, ExpandsWhatIsAskedFor) {
  const Answer paid = pay(stored("4242424242424242"), "&expand[]=latest_charge&expand[]=customer");
  EXPECT_EQ(paid.at("/latest_charge/object"), "charge");
  EXPECT_EQ(paid.number("/latest_charge/amount_captured"), 1099);
  EXPECT_EQ(paid.at("/latest_charge/payment_method_details/card/last4"), "4242");
  EXPECT_EQ(paid.at("/customer/object"), "customer");
  EXPECT_TRUE(paid.at("/payment_method").starts_with("pm_"));
  const std::string path = "/v1/payment_intents/" + paid.at("/id");
  EXPECT_EQ(get(path + "?expand[0]=latest_charge").at("/latest_charge/status"), "succeeded");
  EXPECT_EQ(get(path + "?expand[]=payment_method").at("/payment_method/card/brand"), "visa");
  EXPECT_EQ(get(path + "?expand[]=amount").param(), "expand");
}

TEST_F(PaymentsTest, FindsPaymentsByMetadata) {
  for (const char* reference : {"A1", "A2", "A2"}) {
    pay(stored("4242424242424242"), std::string("&metadata[ref]=") + reference);
  }
  const Answer one = get("/v1/payment_intents/search?query=metadata['ref']:'A1'");
  EXPECT_EQ(one.at("/object"), "search_result");
  ASSERT_EQ(one.body.at("data").as_array().size(), 1u);
  EXPECT_EQ(one.at("/data/0/metadata/ref"), "A1");
  const std::string two = "/v1/payment_intents/search?limit=1&query=metadata[%22ref%22]:%22A2%22";
  const Answer first = get(two);
  EXPECT_TRUE(first.body.at("has_more").as_bool());
  const Answer second = get(two + "&page=" + first.at("/next_page"));
  EXPECT_FALSE(second.body.at("has_more").as_bool());
  EXPECT_NE(first.at("/data/0/id"), second.at("/data/0/id"));
  EXPECT_EQ(get("/v1/payment_intents/search?query=status:'succeeded'+AND+metadata['ref']:'A1'")
                .body.at("data")
                .as_array()
                .size(),
            1u);
  EXPECT_EQ(get("/v1/payment_intents/search?query=status:'canceled'+AND+metadata['ref']:'A1'")
                .body.at("data")
                .as_array()
                .size(),
            0u);
  EXPECT_EQ(get("/v1/payment_intents/search?expand[]=data.latest_charge&query=metadata['ref']:'A1'")
                .at("/data/0/latest_charge/object"),
            "charge");
}

TEST_F(PaymentsTest, SearchSeesAChangeOnlyAfterItsDelay) {
  restart({.search_delay = std::chrono::milliseconds(1000)});
  pay(stored("4242424242424242"), "&metadata[ref]=A1");
  const std::string search = "/v1/payment_intents/search?query=metadata['ref']:'A1'";
  EXPECT_EQ(get(search).body.at("data").as_array().size(), 0u);
  clock_.now += 999'999;
  EXPECT_EQ(get(search).body.at("data").as_array().size(), 0u);
  clock_.now += 1;
  EXPECT_EQ(get(search).body.at("data").as_array().size(), 1u);
}

TEST_F(PaymentsTest, RefusesMalformedQueries) {
  for (const char* query : {"x", "ref:'A1'", "metadata:'A1'", "metadata[ref]:'A1'",
                            "metadata['ref'].'A1'", "metadata['ref']:A1", "metadata['ref']:'A1",
                            "status:'a'+OR+status:'b'", "status:'a'+AND"}) {
    EXPECT_EQ(get(std::string("/v1/payment_intents/search?query=") + query).param(), "query")
        << query;
  }
}

TEST_F(PaymentsTest, TellsWhatIsNotThere) {
  for (const char* path : {"/v1/customers/cus_x", "/v1/payment_methods/pm_x",
                           "/v1/payment_intents/pi_x", "/v1/refunds/re_x"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.code(), "resource_missing");
    EXPECT_NE(answer.param(), "");
  }
  for (const char* path : {"/v1/payment_intents/pi_x/confirm", "/v1/payment_intents/pi_x/capture",
                           "/v1/payment_intents/pi_x/cancel", "/v1/payment_methods/pm_x/detach"}) {
    EXPECT_EQ(post(path, "").code(), "resource_missing") << path;
  }
  EXPECT_EQ(post("/v1/payment_methods/pm_x/attach", "customer=cus_x").param(), "customer");
  EXPECT_EQ(post("/v1/payment_methods/pm_x/attach", "customer=" + customer()).param(),
            "payment_method");
}

TEST_F(PaymentsTest, ForgetsTheOldestWhenFull) {
  restart({.objects_max = 2});
  const std::string first = customer();
  const std::string second = customer();
  EXPECT_EQ(get("/v1/customers/" + first).status, 200);
  customer();
  EXPECT_EQ(get("/v1/customers/" + first).status, 404);
  EXPECT_EQ(get("/v1/customers/" + second).status, 200);
}

}  // namespace
}  // namespace strongroom::simulators::stripe

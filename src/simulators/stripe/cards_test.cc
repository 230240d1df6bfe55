// The documented test cards, and what else comes as a card.
#include <gtest/gtest.h>

#include "simulators/stripe/testing/sandbox_fixture.h"

namespace strongroom::simulators::stripe {
namespace {

using testing::Answer;

class CardsTest : public testing::SandboxFixture {
 protected:
  Answer refused_card(const std::string& form) {
    return post("/v1/payment_methods", "type=card&" + form);
  }
};

TEST_F(CardsTest, ApprovesTheDocumentedOnes) {
  struct Row {
    const char* number;
    const char* brand;
    const char* funding;
  };
  for (const Row& row :
       {Row{"4242424242424242", "visa", "credit"}, Row{"4000056655665556", "visa", "debit"},
        Row{"5555555555554444", "mastercard", "credit"},
        Row{"5200828282828210", "mastercard", "debit"}, Row{"378282246310005", "amex", "credit"},
        Row{"6011111111111117", "discover", "credit"}, Row{"3056930009020004", "diners", "credit"},
        Row{"3566002020360505", "jcb", "credit"}}) {
    const std::string with = stored(row.number);
    const Answer paid = pay(with, "&expand[]=payment_method&expand[]=latest_charge");
    EXPECT_EQ(paid.at("/status"), "succeeded") << row.number;
    EXPECT_EQ(paid.at("/payment_method/card/brand"), row.brand);
    EXPECT_EQ(paid.at("/payment_method/card/funding"), row.funding);
    EXPECT_EQ(paid.at("/latest_charge/outcome/network_status"), "approved_by_network");
  }
}

TEST_F(CardsTest, ApprovesUnlistedNumbersOfTestRanges) {
  EXPECT_EQ(pay("payment_method=" + card("4242420000000000")).at("/status"), "succeeded");
  EXPECT_EQ(pay("payment_method=" + card("5555550000000002")).at("/status"), "succeeded");
}

TEST_F(CardsTest, RefusesLiveCardsInTestMode) {
  const Answer refused =
      refused_card("card[number]=4929000000006&card[exp_month]=1&card[exp_year]=2030");
  EXPECT_EQ(refused.status, 402);
  EXPECT_EQ(refused.code(), "card_declined");
  EXPECT_EQ(refused.at("/error/decline_code"), "test_mode_live_card");
}

TEST_F(CardsTest, RefusesWhatIsNoCard) {
  struct Row {
    const char* form;
    const char* code;
    const char* param;
  };
  const std::string_view date = "&card[exp_month]=12&card[exp_year]=2030";
  for (const Row& row : {
           Row{"card[number]=4242424242424241", "incorrect_number", "number"},
           Row{"card[number]=4242", "invalid_number", "number"},
           Row{"card[number]=42424242424242424242", "invalid_number", "number"},
           Row{"card[number]=4242x24242424242", "invalid_number", "number"},
           Row{"card[number]=4242424242424242&card[cvc]=99", "invalid_cvc", "cvc"},
           Row{"card[number]=4242424242424242&card[cvc]=1234", "invalid_cvc", "cvc"},
           Row{"card[number]=4242424242424242&card[cvc]=12x", "invalid_cvc", "cvc"},
       }) {
    const Answer refused = refused_card(row.form + std::string(date));
    EXPECT_EQ(refused.status, 402) << row.form;
    EXPECT_EQ(refused.at("/error/type"), "card_error");
    EXPECT_EQ(refused.code(), row.code) << row.form;
    EXPECT_EQ(refused.param(), row.param);
  }
  EXPECT_EQ(refused_card("card[number]=378282246310005&card[cvc]=1234" + std::string(date)).status,
            200);
}

TEST_F(CardsTest, RefusesDatesThatAreOver) {
  struct Row {
    const char* date;
    const char* code;
  };
  const std::string number = "card[number]=4242424242424242&";
  for (const Row& row : {Row{"card[exp_month]=13&card[exp_year]=2030", "invalid_expiry_month"},
                         Row{"card[exp_month]=0&card[exp_year]=2030", "invalid_expiry_month"},
                         Row{"card[exp_month]=12&card[exp_year]=95", "invalid_expiry_year"},
                         Row{"card[exp_month]=12&card[exp_year]=2025", "invalid_expiry_year"},
                         Row{"card[exp_month]=12&card[exp_year]=2077", "invalid_expiry_year"},
                         Row{"card[exp_month]=10&card[exp_year]=2026", "invalid_expiry_month"}}) {
    EXPECT_EQ(refused_card(number + row.date).code(), row.code) << row.date;
  }
  EXPECT_EQ(refused_card(number + "card[exp_month]=11&card[exp_year]=2026").status, 200);
}

TEST_F(CardsTest, AsksForWhatIsMissing) {
  EXPECT_EQ(post("/v1/payment_methods", "card[number]=4242424242424242").param(), "type");
  EXPECT_EQ(refused_card("").param(), "card[number]");
  EXPECT_EQ(refused_card("card[number]=4242424242424242").param(), "card[exp_month]");
  EXPECT_EQ(refused_card("card[number]=4242424242424242&card[exp_month]=1").param(),
            "card[exp_year]");
  EXPECT_EQ(post("/v1/payment_methods", "type=sepa_debit").param(), "type");
}

TEST_F(CardsTest, DeclinesAsDocumented) {
  struct Row {
    const char* number;
    const char* code;
    const char* decline_code;
  };
  for (const Row& row : {
           Row{"4000000000000002", "card_declined", "generic_decline"},
           Row{"4000000000009995", "card_declined", "insufficient_funds"},
           Row{"4000000000009987", "card_declined", "lost_card"},
           Row{"4000000000009979", "card_declined", "stolen_card"},
           Row{"4000000000000069", "expired_card", "expired_card"},
           Row{"4000000000000127", "incorrect_cvc", "incorrect_cvc"},
           Row{"4000000000000119", "processing_error", "processing_error"},
           Row{"4000000000006975", "card_declined", "card_velocity_exceeded"},
       }) {
    const std::string method = card(row.number);
    const Answer attached =
        post("/v1/payment_methods/" + method + "/attach", "customer=" + customer());
    EXPECT_EQ(attached.status, 402) << row.number;
    EXPECT_EQ(attached.at("/error/decline_code"), row.decline_code);
    const Answer paid = pay("payment_method=" + method);
    EXPECT_EQ(paid.status, 402);
    EXPECT_EQ(paid.at("/error/type"), "card_error");
    EXPECT_EQ(paid.code(), row.code);
    EXPECT_EQ(paid.at("/error/decline_code"), row.decline_code);
    EXPECT_TRUE(paid.at("/error/charge").starts_with("ch_"));
    EXPECT_EQ(paid.at("/error/payment_intent/status"), "requires_payment_method");
    EXPECT_EQ(paid.at("/error/payment_intent/last_payment_error/code"), row.code);
    EXPECT_EQ(paid.at("/error/payment_method/id"), method);
  }
  EXPECT_EQ(charges().at("/charges/0/status"), "declined");
}

TEST_F(CardsTest, DeclinesAfterAttaching) {
  const Answer paid = pay(stored("4000000000000341"));
  EXPECT_EQ(paid.at("/error/decline_code"), "generic_decline");
  EXPECT_EQ(paid.at("/error/message"), "Your card was declined.");
}

TEST_F(CardsTest, BlocksWhatRadarBlocks) {
  const Answer paid = pay("payment_method=" + card("4100000000000019"));
  EXPECT_EQ(paid.at("/error/decline_code"), "fraudulent");
  const std::string path = "/v1/payment_intents/" + paid.at("/error/payment_intent/id");
  const Answer got = get(path + "?expand[]=latest_charge");
  EXPECT_EQ(got.at("/latest_charge/outcome/type"), "blocked");
  EXPECT_EQ(got.at("/latest_charge/outcome/network_status"), "not_sent_to_network");
  EXPECT_EQ(got.at("/latest_charge/status"), "failed");
  EXPECT_EQ(pay("payment_method=" + card("4000000000004954"), "&expand[]=latest_charge")
                .at("/latest_charge/outcome/risk_level"),
            "highest");
}

TEST_F(CardsTest, AsksForAuthentication) {
  const std::string always = stored("4000002760003184");
  const Answer asked = pay(always);
  EXPECT_EQ(asked.at("/status"), "requires_action");
  EXPECT_EQ(asked.at("/next_action/type"), "use_stripe_sdk");
  EXPECT_EQ(pay(always, "&return_url=https%3A%2F%2Fexample.com").at("/next_action/type"),
            "redirect_to_url");
  EXPECT_EQ(pay(always, "&error_on_requires_action=true").code(), "authentication_required");
  const Answer away = pay(always, "&off_session=true");
  EXPECT_EQ(away.status, 402);
  EXPECT_EQ(away.code(), "authentication_required");
  EXPECT_EQ(charges().number("/count"), 0);

  const std::string set_up = stored("4000003800000446");
  EXPECT_EQ(pay(set_up, "&off_session=true").at("/status"), "succeeded");
  EXPECT_EQ(pay(set_up).at("/status"), "requires_action");
  EXPECT_EQ(pay(stored("4000000000003055")).at("/status"), "succeeded");
}

TEST_F(CardsTest, ChecksWhatItWasGiven) {
  const Answer wrong = get("/v1/payment_methods/" + card("4000000000000101"));
  EXPECT_EQ(wrong.at("/card/checks/cvc_check"), "fail");
  EXPECT_EQ(get("/v1/payment_methods/" + card("4242424242424242")).at("/card/checks/cvc_check"),
            "unchecked");
  const std::string with = stored("4242424242424242");
  EXPECT_EQ(
      get("/v1/payment_methods/" + with.substr(with.find("pm_"))).at("/card/checks/cvc_check"),
      "pass");
  const Answer zip = post("/v1/payment_methods", card_form("4000000000000036") +
                                                     "&billing_details[address][postal_code]=1");
  EXPECT_EQ(zip.at("/card/checks/address_postal_code_check"), "fail");
  EXPECT_EQ(pay("payment_method=" + zip.at("/id")).at("/status"), "succeeded");
}

TEST_F(CardsTest, TakesTheIdsOfTestCards) {
  const Answer paid = pay("payment_method=pm_card_visa");
  EXPECT_EQ(paid.at("/status"), "succeeded");
  EXPECT_NE(paid.at("/payment_method"), "pm_card_visa");
  EXPECT_EQ(pay("payment_method=pm_card_visa").at("/status"), "succeeded");
  EXPECT_EQ(pay("payment_method=pm_card_visa_chargeDeclinedLostCard").at("/error/decline_code"),
            "lost_card");
  EXPECT_EQ(pay("payment_method=pm_card_none").code(), "resource_missing");
  EXPECT_EQ(post("/v1/payment_methods/pm_card_mastercard/attach", "customer=" + customer())
                .at("/card/brand"),
            "mastercard");
}

}  // namespace
}  // namespace strongroom::simulators::stripe

// connectord's interface around a fake processor: who gets in, whose blobs count, what stands in
// the audit log before and after, and what a problem promises: that nothing was sent.
#include "cde/connectors/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/loop.h"
#include "audit/testing/memory_recorder.h"
#include "base/encoding.h"
#include "cde/connectors/testing/fake_connector.h"
#include "http/head.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using http::Method;
using http::Response;
using payments::OperationOutcome;
using payments::PayAnswer;
using ::testing::HasSubstr;
using ::testing::Not;

class SetClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now_s * 1'000'000; }
  std::int64_t now_s = 1'800'000'000;
};

SecretBytes secret(std::string_view text) { return *SecretBytes::copy_of(as_bytes(text)); }

class ConnectorRoutesTest : public ::testing::Test {
 protected:
  ConnectorRoutesTest() {
    keys_.push_back(*crypto::Aead::create(*crypto::random_secret(random_, 32), 1));
    sealer_.emplace("stripe", keys_, random_);
    service_.emplace(ConnectorService::Parts{connector_, *sealer_, recorder_, random_, clock_,
                                             metrics_, Profile::demo});
    router_.set_ticket_verifier(verifier_);
    add_store_routes(router_, *service_, Profile::demo, clock_);
    add_pay_routes(router_, *service_, clock_);
    add_account_routes(router_, *service_, "stripe");
    ticket_ = make_ticket("mer_1");
    account_ = *sealer_->seal(Account{"acc_1", "mer_1", secret("sk_test")});
    token_ = *sealer_->seal(ProcessorToken{"acc_1", "mer_1", {"cus_1", "pm_1"}});
  }

  std::string make_ticket(std::string merchant,
                          std::vector<std::string> scopes = {"payments:write"}) {
    return *signer_.sign({.subject = "key_1",
                          .merchant = std::move(merchant),
                          .role = "merchant_admin",
                          .scopes = std::move(scopes),
                          .issued_at_s = clock_.now_s,
                          .expires_at_s = clock_.now_s + 60});
  }
  Response ask(Method method, std::string_view path, std::string body = "",
               std::string_view query = "") {
    http::Head head;
    head.method = method;
    head.path = path;
    head.query = query;
    head.fields.push_back({"Content-Type", "application/json"});
    if (!ticket_.empty()) head.fields.push_back({"Strongroom-Ticket", ticket_});
    http::Request request(head, std::as_writable_bytes(std::span(body)), peer_,
                          "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee");
    return loop_.run_until_done(router_.dispatch(request));
  }
  Response pay(std::string_view path, std::string_view changes = "") {
    peer_.identity = "gatewayd";
    return ask(Method::post, path, pay_body(changes));
  }
  std::string pay_body(std::string_view changes = "") {
    return R"({"account":")" + account_ + R"(","processor_token":")" + token_ +
           R"(","amount":1099,"currency":"USD","reference":"att_1","idempotency_key":"att_1",)" +
           R"("initiator":"customer")" + std::string(changes) + "}";
  }
  Response change(std::string_view action, std::string_view more = "") {
    peer_.identity = "gatewayd";
    return ask(Method::post, "/v1/transactions/pi_1/" + std::string(action),
               R"({"account":")" + account_ +
                   R"(","currency":"USD","reference":"att_2","idempotency_key":"att_2")" +
                   std::string(more) + "}");
  }
  Response store() {
    peer_.identity = "vaultd";
    return ask(Method::post, "/v1/stored-cards",
               R"({"account":")" + account_ +
                   R"(","idempotency_key":"pay_1","card":{"number":"4242424242424242",)"
                   R"("exp_month":12,"exp_year":2030}})");
  }
  Response remove(const std::string& token) {
    peer_.identity = "vaultd";
    ticket_.clear();
    return ask(Method::delete_, "/v1/stored-cards",
               R"({"account":")" + account_ + R"(","processor_token":")" + token + R"("})");
  }
  // Nothing reached the processor, and the log says who was refused.
  void expect_denied(const Response& response) {
    EXPECT_EQ(response.status, 403) << response.body;
    EXPECT_TRUE(connector_.asked.empty());
    ASSERT_EQ(recorder_.entries.size(), 1U);
    EXPECT_EQ(recorder_.entries[0].event_type, EventType::access_denied);
    EXPECT_EQ(recorder_.entries[0].outcome, Outcome::denied);
    recorder_.entries.clear();
  }
  void expect_pair(EventType type, Outcome outcome) {
    ASSERT_EQ(recorder_.entries.size(), 2U);
    EXPECT_EQ(recorder_.entries[0].event_type, type);
    EXPECT_EQ(recorder_.entries[0].phase, Phase::intent);
    EXPECT_EQ(recorder_.entries[0].merchant_id, "mer_1");
    EXPECT_EQ(recorder_.entries[0].connector_id, "stripe");
    EXPECT_EQ(recorder_.entries[1].phase, Phase::outcome);
    EXPECT_EQ(recorder_.entries[1].outcome, outcome);
    EXPECT_EQ(recorder_.entries[1].operation_id, recorder_.entries[0].operation_id);
    recorder_.entries.clear();
  }

  async::Loop loop_;
  SetClock clock_;
  crypto::SystemRandom random_;
  audit::testing::MemoryRecorder recorder_;
  testing::FakeConnector connector_;
  Registry registry_;
  ConnectorMetrics metrics_{registry_, "stripe"};
  SealKeys keys_;
  std::optional<Sealer> sealer_;
  std::optional<ConnectorService> service_;
  http::TicketSigner signer_ =
      *http::TicketSigner::create(*crypto::random_secret(random_, 32), "k1");
  http::TicketVerifier verifier_ = *http::TicketVerifier::create(signer_.public_key_line(), clock_);
  http::Router router_;
  http::Peer peer_{.identity = "gatewayd", .source = "192.0.2.1"};
  std::string ticket_;
  std::string account_;
  std::string token_;
};

TEST_F(ConnectorRoutesTest, EachRoleServesItsOneCaller) {
  const struct {
    Method method;
    std::string_view path;
    std::string_view caller;
  } rows[] = {{Method::post, "/v1/stored-cards", "vaultd"},
              {Method::delete_, "/v1/stored-cards", "vaultd"},
              {Method::post, "/v1/authorizations", "gatewayd"},
              {Method::post, "/v1/sales", "gatewayd"},
              {Method::post, "/v1/transactions/pi_1/capture", "gatewayd"},
              {Method::post, "/v1/transactions/pi_1/void", "gatewayd"},
              {Method::post, "/v1/transactions/pi_1/refunds", "gatewayd"},
              {Method::get, "/v1/transactions", "gatewayd"},
              {Method::post, "/v1/connector-accounts", "nobody"}};
  for (const auto& row : rows) {
    for (const std::string identity :
         {"vaultd", "gatewayd", "edged", "authd", "loadgen", "connectord-stripe", ""}) {
      peer_.identity = identity;
      const Response response = ask(row.method, row.path, "{}");
      EXPECT_EQ(response.status == 403, identity != row.caller) << row.path << " " << identity;
    }
  }
  EXPECT_TRUE(connector_.asked.empty());
}

TEST_F(ConnectorRoutesTest, ChargeIsLoggedBeforeAndAfter) {
  const Response response = pay("/v1/authorizations");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"outcome":"approved","processor_reference":"pi_1","decline":null})");
  ASSERT_EQ(connector_.asked.size(), 1U);
  EXPECT_EQ(connector_.asked[0].call, "authorize");
  EXPECT_EQ(connector_.asked[0].credential, "sk_test");
  EXPECT_EQ(connector_.asked[0].ids, (std::vector<std::string>{"cus_1", "pm_1"}));
  EXPECT_EQ(recorder_.entries[1].resources, (std::vector<std::string>{"acc_1", "att_1", "pi_1"}));
  expect_pair(EventType::payment_authorize, Outcome::done);

  EXPECT_EQ(pay("/v1/sales").status, 200);
  expect_pair(EventType::payment_sale, Outcome::done);
}

TEST_F(ConnectorRoutesTest, EveryOutcomeHasItsPlaceInTheLog) {
  const payments::Decline decline{payments::DeclineClass::soft, "insufficient_funds"};
  const struct {
    Result<PayAnswer> answer;
    int status;
    std::string_view says;
    Outcome logged;
  } rows[] = {
      {PayAnswer{OperationOutcome::declined, {}, decline}, 200, "insufficient_funds",
       Outcome::failed},
      {PayAnswer{OperationOutcome::failed, {}, {}}, 200, R"("outcome":"failed")", Outcome::failed},
      {PayAnswer{}, 200, R"("outcome":"unknown")", Outcome::unknown},
      {fail({ErrorCode::invalid_argument, "no form"}), 200, R"("outcome":"failed")",
       Outcome::failed},
      {fail({ErrorCode::unavailable, "absent"}), 503, "service-unavailable", Outcome::not_done},
      {fail({ErrorCode::permission_denied, "not Stripe"}), 503, "service-unavailable",
       Outcome::not_done},
      {fail({ErrorCode::exhausted, "queue"}), 503, "overloaded", Outcome::not_done},
  };
  for (const auto& row : rows) {
    connector_.answer = row.answer;
    const Response response = pay("/v1/sales");
    EXPECT_EQ(response.status, row.status);
    EXPECT_THAT(response.body, HasSubstr(row.says));
    expect_pair(EventType::payment_sale, row.logged);
  }
}

TEST_F(ConnectorRoutesTest, NothingIsSentThatCannotBeLogged) {
  recorder_.available = false;
  for (const std::string_view path : {"/v1/authorizations", "/v1/sales"}) {
    EXPECT_EQ(pay(path).status, 503);
  }
  for (const std::string_view action : {"capture", "void", "refunds"}) {
    EXPECT_EQ(change(action).status, 503);
  }
  EXPECT_EQ(store().status, 503);
  EXPECT_EQ(remove(token_).status, 503);
  EXPECT_TRUE(connector_.asked.empty());
}

TEST_F(ConnectorRoutesTest, OnlyTheTicketsMerchantPays) {
  ticket_ = make_ticket("mer_2");
  expect_denied(pay("/v1/sales"));
  expect_denied(change("capture"));
  expect_denied(store());
  ticket_ = make_ticket("");
  expect_denied(pay("/v1/sales"));
  ticket_ = make_ticket("mer_1", {"payments:read", "tokens:write"});
  expect_denied(pay("/v1/sales"));
  expect_denied(change("refunds"));
  expect_denied(store());
}

TEST_F(ConnectorRoutesTest, OnlyBlobsOfOneAccountGoTogether) {
  const std::string good = token_;
  for (const ProcessorToken& other : {ProcessorToken{"acc_2", "mer_1", {"cus_1", "pm_1"}},
                                      ProcessorToken{"acc_1", "mer_2", {"cus_1", "pm_1"}}}) {
    token_ = *sealer_->seal(other);
    expect_denied(pay("/v1/sales"));
  }
  SealKeys others;
  others.push_back(*crypto::Aead::create(*crypto::random_secret(random_, 32), 1));
  token_ =
      *Sealer("stripe", others, random_).seal(ProcessorToken{"acc_1", "mer_1", {"cus_1", "pm_1"}});
  expect_denied(pay("/v1/sales"));
  token_ = account_;
  EXPECT_EQ(pay("/v1/sales").status, 422);
  token_ = good;
  account_ = "AQID";
  EXPECT_EQ(pay("/v1/sales").status, 422);
  EXPECT_TRUE(connector_.asked.empty());
}

TEST_F(ConnectorRoutesTest, ARepeatContinuesItsOperationUnderALateTicket) {
  connector_.answer = PayAnswer{};
  EXPECT_EQ(pay("/v1/sales").status, 200);
  const OperationId operation = recorder_.entries[0].operation_id;
  recorder_.entries.clear();
  connector_.asked.clear();
  clock_.now_s += 3600;
  expect_denied(pay("/v1/sales"));
  connector_.answer = PayAnswer{OperationOutcome::approved, "pi_1", std::nullopt};
  EXPECT_EQ(pay("/v1/sales", R"(,"settle":true)").status, 200);
  ASSERT_EQ(connector_.asked.size(), 1U);
  EXPECT_TRUE(connector_.asked[0].settle);
  EXPECT_EQ(recorder_.entries[0].operation_id, operation);
  expect_pair(EventType::payment_sale, Outcome::done);

  EXPECT_EQ(change("void", R"(,"settle":true)").status, 200);
  EXPECT_NE(recorder_.entries[0].operation_id, operation);
}

TEST_F(ConnectorRoutesTest, NoRepeatAfterTheProcessorsWindow) {
  clock_.now_s += connector_.window.count() - 1;
  EXPECT_EQ(pay("/v1/sales", R"(,"settle":true)").status, 200);
  clock_.now_s += 1;
  connector_.asked.clear();
  EXPECT_EQ(pay("/v1/sales", R"(,"settle":true)").status, 409);
  EXPECT_EQ(change("capture", R"(,"settle":true)").status, 409);
  EXPECT_TRUE(connector_.asked.empty());
  connector_.window = std::chrono::hours(1000);
  clock_.now_s += 3600 * 4 + 60;  // a day after the ticket's end
  EXPECT_EQ(pay("/v1/sales", R"(,"settle":true)").status, 403);
}

TEST_F(ConnectorRoutesTest, CaptureVoidAndRefundNameTheirTransaction) {
  EXPECT_EQ(change("capture", R"(,"amount":500)").status, 200);
  expect_pair(EventType::payment_capture, Outcome::done);
  EXPECT_EQ(change("void").status, 200);
  expect_pair(EventType::payment_void, Outcome::done);
  EXPECT_EQ(change("refunds").status, 200);
  expect_pair(EventType::payment_refund, Outcome::done);
  ASSERT_EQ(connector_.asked.size(), 3U);
  EXPECT_EQ(connector_.asked[0].call, "capture");
  EXPECT_EQ(connector_.asked[0].amount, 500);
  EXPECT_EQ(connector_.asked[0].ids, std::vector<std::string>{"pi_1"});
  EXPECT_EQ(connector_.asked[1].call, "void");
  EXPECT_EQ(connector_.asked[2].call, "refund");
  EXPECT_EQ(connector_.asked[2].amount, std::nullopt);
  EXPECT_EQ(change("void", R"(,"amount":500)").status, 422);
  EXPECT_EQ(ask(Method::post, "/v1/transactions/pi.1/void", "{}").status, 404);
  EXPECT_EQ(ask(Method::post, "/v1/transactions/4242424242424242/void", "{}").status, 422);
}

TEST_F(ConnectorRoutesTest, LookUpIsOneEntryAndBearsAMonthOldTicket) {
  connector_.found->outcome = OperationOutcome::approved;
  connector_.found->status = payments::ProcessorView::Status::captured;
  connector_.found->processor_reference = "pi_1";
  const std::string query = "reference=att_1&account=" + account_ + "&processor_reference=pi_1";
  peer_.identity = "gatewayd";
  clock_.now_s += 30 * 86400;
  const Response response = ask(Method::get, "/v1/transactions", "", query);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(payments::parse_look_up_answer(response.body));
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::payment_lookup);
  EXPECT_EQ(connector_.asked[0].age, std::chrono::seconds(30 * 86400 - 60));
  EXPECT_EQ(connector_.asked[0].ids, std::vector<std::string>{"pi_1"});
  clock_.now_s += 61;
  EXPECT_EQ(ask(Method::get, "/v1/transactions", "", query).status, 403);
}

TEST_F(ConnectorRoutesTest, LookUpRefusesAWrongQuery) {
  peer_.identity = "gatewayd";
  const std::string account = "account=" + account_;
  const std::vector<std::string> queries{"",
                                         account,
                                         "reference=a%20b&" + account,
                                         "reference=att_1&account=x",
                                         "reference=att_1&processor_reference=..&" + account,
                                         "reference=4242424242424242&" + account};
  for (const std::string& query : queries) {
    EXPECT_EQ(ask(Method::get, "/v1/transactions", "", query).status, 422) << query;
  }
  EXPECT_TRUE(connector_.asked.empty());
}

TEST_F(ConnectorRoutesTest, StoreGivesATokenThatPays) {
  const Response response = store();
  EXPECT_EQ(response.status, 201);
  ASSERT_EQ(connector_.asked.size(), 1U);
  EXPECT_EQ(connector_.asked[0].call, "store 4242");
  EXPECT_EQ(connector_.asked[0].idempotency_key, "pay_1");
  EXPECT_EQ(recorder_.entries[0].last4, "4242");
  EXPECT_EQ(recorder_.entries[0].bin, "424242");
  expect_pair(EventType::processor_token_store, Outcome::done);
  const std::string_view prefix = R"({"processor_token":")";
  ASSERT_TRUE(response.body.starts_with(prefix));
  token_ = response.body.substr(prefix.size(), response.body.size() - prefix.size() - 2);
  EXPECT_EQ(pay("/v1/sales").status, 200);
  EXPECT_EQ(connector_.asked.back().ids, (std::vector<std::string>{"cus_1", "pm_1"}));
}

TEST_F(ConnectorRoutesTest, StoreSaysWhyACardWasNotTaken) {
  connector_.stored =
      StoredCard{OperationOutcome::declined,
                 {},
                 payments::Decline{payments::DeclineClass::invalid_card, "incorrect_number"}};
  const Response declined = store();
  EXPECT_EQ(declined.status, 200);
  EXPECT_THAT(declined.body, HasSubstr(R"("outcome":"declined")"));
  EXPECT_THAT(declined.body, HasSubstr("incorrect_number"));
  expect_pair(EventType::processor_token_store, Outcome::failed);
  connector_.stored = StoredCard{};
  EXPECT_THAT(store().body, HasSubstr(R"("outcome":"unknown")"));
  expect_pair(EventType::processor_token_store, Outcome::unknown);
  connector_.stored = fail({ErrorCode::unavailable, "absent"});
  EXPECT_EQ(store().status, 503);
  expect_pair(EventType::processor_token_store, Outcome::not_done);
  clock_.now_s += 60;  // a card is not stored for a ticket that has ended
  EXPECT_EQ(store().status, 403);
}

TEST_F(ConnectorRoutesTest, RemoveNeedsNoTicketButBlobsThatAgree) {
  EXPECT_EQ(remove(token_).status, 204);
  EXPECT_EQ(connector_.asked[0].ids, (std::vector<std::string>{"cus_1", "pm_1"}));
  expect_pair(EventType::processor_token_revoke, Outcome::done);
  connector_.removed = OperationOutcome::unknown;
  EXPECT_EQ(remove(token_).status, 504);
  expect_pair(EventType::processor_token_revoke, Outcome::unknown);
  connector_.removed = fail({ErrorCode::unavailable, "absent"});
  EXPECT_EQ(remove(token_).status, 503);
  expect_pair(EventType::processor_token_revoke, Outcome::not_done);
  connector_.asked.clear();
  expect_denied(remove(*sealer_->seal(ProcessorToken{"acc_1", "mer_2", {"cus_1", "pm_1"}})));
}

TEST_F(ConnectorRoutesTest, AnOperatorEntersAnAccountThatNobodyReadsAgain) {
  peer_ = {.identity = "", .source = "unix", .uid = 0};
  const Response entered = ask(Method::post, "/v1/connector-accounts",
                               R"({"merchant":"mer_1","credential":"sk_secret"})");
  EXPECT_EQ(entered.status, 201) << entered.body;
  EXPECT_THAT(entered.body, HasSubstr(R"("connector":"stripe","account_id":"acc_)"));
  EXPECT_THAT(entered.body, Not(HasSubstr("sk_secret")));
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::connector_account_create);
  EXPECT_EQ(recorder_.entries[0].merchant_id, "mer_1");
  EXPECT_EQ(recorder_.entries[0].user, "uid:0");
  const std::size_t begin = entered.body.find(R"("account":")") + 11;
  const auto opened =
      sealer_->open_account(entered.body.substr(begin, entered.body.size() - begin - 2));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(as_text(opened->credential.reveal()), "sk_secret");

  const Response replaced =
      ask(Method::post, "/v1/connector-accounts",
          R"({"merchant":"mer_1","account_id":"acc_1","credential":"sk_other"})");
  EXPECT_THAT(replaced.body, HasSubstr(R"("account_id":"acc_1")"));
}

TEST_F(ConnectorRoutesTest, AnAccountIsRefusedWithItsReason) {
  peer_ = {.identity = "", .source = "unix", .uid = 0};
  for (const std::string body :
       {"{}", R"({"merchant":"mer_1"})", R"({"merchant":"mer 1","credential":"sk_a"})",
        R"({"merchant":"mer_1","credential":"pk_a"})",
        R"({"merchant":"mer_1","credential":"sk_a","account_id":"a b"})",
        R"({"merchant":"mer_1","credential":"sk_a","account_id":"4242424242424242"})",
        R"({"merchant":"mer_1","credential":"sk_a","x":1})"}) {
    const Response refused = ask(Method::post, "/v1/connector-accounts", body);
    EXPECT_EQ(refused.status, 422) << body;
    EXPECT_THAT(refused.body, Not(HasSubstr("sk_a")));
  }
  recorder_.available = false;
  EXPECT_EQ(
      ask(Method::post, "/v1/connector-accounts", R"({"merchant":"mer_1","credential":"sk_a"})")
          .status,
      503);
}

TEST_F(ConnectorRoutesTest, OpenIntentsAreClosedAsUnknown) {
  audit::Entry intent;
  intent.event_type = EventType::payment_sale;
  intent.phase = Phase::intent;
  intent.operation_id = crypto::new_operation_id(random_, clock_);
  recorder_.open = {intent};
  ASSERT_TRUE(loop_.run_until_done(service_->close_open_intents()).has_value());
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::unknown);
  EXPECT_EQ(recorder_.entries[0].operation_id, intent.operation_id);
}

TEST_F(ConnectorRoutesTest, NoSecretMemoryIsKept) {
  ASSERT_EQ(store().status, 201);
  const std::size_t before = secret_memory_used_bytes();
  ASSERT_EQ(store().status, 201);
  ASSERT_EQ(pay("/v1/sales").status, 200);
  EXPECT_EQ(secret_memory_used_bytes(), before);
}

}  // namespace
}  // namespace strongroom::cde

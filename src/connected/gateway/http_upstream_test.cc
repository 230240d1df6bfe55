// What the answers of vaultd and connectord mean, over real sockets.
#include "connected/gateway/http_upstream.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"
#include "http/router.h"
#include "http/server.h"
#include "support/temporary_directory.h"

namespace strongroom::connected::gateway {
namespace {

using payments::Operation;
using payments::OperationOutcome;
using wire::ProblemType;

class HttpUpstreamTest : public ::testing::Test {
 protected:
  HttpUpstreamTest() {
    for (const char* pattern : {"/v1/sales", "/v1/transactions/{id}/refunds",
                                "/v1/cards/{token}/processor-tokens", "/v1/transactions"}) {
      router_.add({.method = std::string_view(pattern) == "/v1/transactions" ? http::Method::get
                                                                             : http::Method::post,
                   .pattern = pattern,
                   .identities = {http::kLocal},
                   .handler = [this](http::Request& request) { return serve(request); }});
    }
    const std::string path = (folder_.path() / "peer.sock").string();
    auto listener = http::UnixListener::open(path);
    SR_CHECK(listener.has_value());
    server_ = http::Server::serve_unix(loop_, *std::move(listener), {::geteuid()}, router_, {});
    http::ClientOptions options{
        .host = "localhost", .unix_path = path, .unix_users = {::geteuid()}};
    options.response_timeout = std::chrono::milliseconds(300);
    http::ClientGroup::Members vaultds;
    vaultds.emplace("there", std::make_unique<http::Client>(loop_, options));
    clients_.emplace("stripe", std::make_unique<http::Client>(loop_, options));
    options.unix_path = (folder_.path() / "nobody.sock").string();
    // Some tokens are this one's first.
    vaultds.emplace("absent", std::make_unique<http::Client>(loop_, options));
    vaultds_ = std::make_unique<http::ClientGroup>(std::move(vaultds));
    clients_.emplace("absent", std::make_unique<http::Client>(loop_, options));
  }
  ~HttpUpstreamTest() override {
    wait(vaultds_->close());
    for (auto& [name, client] : clients_) wait(client->close());
    wait(server_->drain(std::chrono::milliseconds(100)));
  }
  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  async::Task<http::Response> serve(http::Request& request) {
    seen_ = std::string(to_string(request.method())) + " " + std::string(request.path());
    query_ = request.query();
    ticket_ = request.header("strongroom-ticket");
    body_ = as_text(request.body());
    if (silent_) co_await loop_.sleep_for(std::chrono::milliseconds(600));
    co_return answer_;
  }
  void refuse(ProblemType type) { answer_ = http::problem_response({.type = type}, "r"); }

  Answer<payments::PayAnswer> sell(std::string connector = "stripe") {
    return wait(connectors_.authorize(
        {.ticket = "t", .request_id = "", .source = "192.0.2.1"}, std::move(connector),
        Operation::sale,
        {"YWNj", "dG9r", {5, *payments::Currency::parse("USD")}, "att_1", "att_1"}));
  }
  Answer<payments::LookUpAnswer> look_up() {
    return wait(connectors_.look_up({.ticket = "t", .request_id = "", .source = ""}, "stripe",
                                    {"YWNj", "att_1", "pi_1"}));
  }
  Answer<Resolved> resolve(std::string stale = {}, std::string token = "tok_a") {
    HttpVault vault(*vaultds_);
    return wait(vault.processor_token({.ticket = "t", .request_id = "", .source = ""},
                                      {std::move(token), "YWNj", "pay_a", std::move(stale)}));
  }

  test::TemporaryDirectory folder_;
  async::Loop loop_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::ClientGroup> vaultds_;
  HttpConnectors::Clients clients_;
  HttpConnectors connectors_{clients_};
  http::Response answer_;
  bool silent_ = false;
  std::string seen_, query_, ticket_, body_;
};

TEST_F(HttpUpstreamTest, AnAnswerOfTheContractIsTaken) {
  answer_ = http::json_response(
      200, to_json(payments::PayAnswer{OperationOutcome::approved, "pi_1", std::nullopt}));
  const auto answer = sell();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->outcome, OperationOutcome::approved);
  EXPECT_EQ(answer->processor_reference, "pi_1");
  EXPECT_EQ(seen_, "POST /v1/sales");
  EXPECT_EQ(ticket_, "t");
  EXPECT_TRUE(payments::parse_authorization_request(body_));
  const auto refund = wait(connectors_.change(
      {.ticket = "t", .request_id = "", .source = ""}, "stripe", Operation::refund, "pi_1",
      {"YWNj", 5, *payments::Currency::parse("USD"), "re_1", "re_1"}));
  ASSERT_TRUE(refund);
  EXPECT_EQ(seen_, "POST /v1/transactions/pi_1/refunds");
}

TEST_F(HttpUpstreamTest, AProblemSaysThatNothingWasSent) {
  const struct {
    ProblemType sent;
    ProblemType told;
  } rows[] = {{ProblemType::audit_unavailable, ProblemType::audit_unavailable},
              {ProblemType::not_allowed, ProblemType::not_allowed},
              {ProblemType::overloaded, ProblemType::overloaded},
              {ProblemType::unknown_field, ProblemType::service_unavailable}};
  for (const auto& row : rows) {
    refuse(row.sent);
    const auto answer = sell();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().type, row.told);
  }
  EXPECT_EQ(sell("absent").error().type, ProblemType::service_unavailable);
  EXPECT_EQ(sell("nobody").error().type, ProblemType::service_unavailable);
}

TEST_F(HttpUpstreamTest, WhateverElseComesLeavesTheOutcomeOpen) {
  const auto unknown = [this] {
    const auto answer = sell();
    return answer && answer->outcome == OperationOutcome::unknown;
  };
  answer_ = http::json_response(200, "{}");
  EXPECT_TRUE(unknown());
  answer_ = http::json_response(200, "<html>");
  EXPECT_TRUE(unknown());
  answer_ = http::json_response(502, "{}");
  EXPECT_TRUE(unknown());
  refuse(ProblemType::internal);
  EXPECT_TRUE(unknown());
  refuse(ProblemType::outcome_unknown);
  EXPECT_TRUE(unknown());
  answer_ = http::json_response(200, "{}");
  silent_ = true;
  EXPECT_TRUE(unknown());
}

TEST_F(HttpUpstreamTest, ALookUpThatFailsIsAProblem) {
  payments::LookUpAnswer shown{.outcome = OperationOutcome::approved};
  shown.status = payments::ProcessorView::Status::authorized;
  answer_ = http::json_response(200, to_json(shown));
  ASSERT_TRUE(look_up());
  EXPECT_EQ(query_, "reference=att_1&account=YWNj&processor_reference=pi_1");
  answer_ = http::json_response(200, "{}");
  EXPECT_EQ(look_up().error().type, ProblemType::service_unavailable);
  refuse(ProblemType::not_allowed);
  EXPECT_EQ(look_up().error().type, ProblemType::not_allowed);
}

TEST_F(HttpUpstreamTest, TheVaultsWordsOnATokenArePassedOn) {
  for (const ProblemType type : {ProblemType::not_found, ProblemType::token_deleted,
                                 ProblemType::token_expired, ProblemType::token_used_up}) {
    refuse(type);
    const auto refused = resolve();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().type, type);
    EXPECT_EQ(refused.error().pointer.text(), "#/token");
    EXPECT_FALSE(refused.error().detail.empty());
  }
  EXPECT_EQ(seen_, "POST /v1/cards/tok_a/processor-tokens");
  answer_ = http::json_response(200, R"({"processor_token":"YWJj","created":true})");
  EXPECT_EQ(resolve().error().type, ProblemType::service_unavailable);
  // The processor token of docs/formats/connector-seal.md.
  answer_ = http::json_response(
      200, R"({"processor_token":"AQECAwQCBnN0cmlwZQVhY2NfMUJCQkJCQkJCQkJCQgAWUohorh)"
           R"(rykhT8rZU3hGPv8Ph0-PUBKwoaH4a0TiHBcmtAyA","created":false})");
  EXPECT_TRUE(resolve());
  EXPECT_EQ(body_, R"({"account":"YWNj","payment":"pay_a"})");
  // Of these some are first asked of the vaultd that is absent.
  for (const char* token : {"tok_b", "tok_c", "tok_d", "tok_e", "tok_f", "tok_g"}) {
    EXPECT_TRUE(resolve({}, token));
  }
  EXPECT_EQ(seen_, "POST /v1/cards/tok_g/processor-tokens");
  EXPECT_TRUE(resolve());
  EXPECT_TRUE(resolve("b2xk"));
  EXPECT_EQ(body_, R"({"account":"YWNj","payment":"pay_a","stale":"b2xk"})");
}

TEST_F(HttpUpstreamTest, ARefusedCardIsTheProcessorsWord) {
  answer_ = http::json_response(200, R"({"outcome":"declined","processor_reference":null,)"
                                     R"("decline":{"class":"hard","code":"stolen_card"}})");
  const auto refused = resolve();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->processor_token, "");
  EXPECT_EQ(refused->refusal.decline->code, "stolen_card");
  // A lost answer is not the card's, and no token can follow an approval.
  for (const std::string_view outcome : {"unknown", "approved"}) {
    answer_ = http::json_response(200, R"({"outcome":")" + std::string(outcome) +
                                           R"(","processor_reference":null,"decline":null})");
    EXPECT_EQ(resolve().error().type, ProblemType::service_unavailable);
  }
}

}  // namespace
}  // namespace strongroom::connected::gateway

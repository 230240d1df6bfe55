// gatewayd's routes over real sockets: mutual TLS for services, a Unix socket for operators.
#include "connected/gateway/routes.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "audit/testing/memory_recorder.h"
#include "base/encoding.h"
#include "connected/gateway/testing/fixture.h"
#include "http/client.h"
#include "http/server.h"
#include "http/testing/authority.h"
#include "http/ticket.h"

namespace strongroom::connected::gateway {
namespace {

namespace json = boost::json;
using Headers = std::vector<std::pair<std::string_view, std::string>>;
using testing::kMerchant;
using testing::kOther;

constexpr char kSale[] = R"({"amount":1099,"currency":"USD","token":"tok_a","reference":"o7"})";
constexpr char kAuthorization[] =
    R"({"amount":1099,"currency":"USD","token":"tok_a","capture":false})";

http::TicketSigner make_signer(crypto::Random& random) {
  auto seed = crypto::random_secret(random, 32);
  SR_CHECK(seed.has_value());
  auto signer = http::TicketSigner::create(*std::move(seed), "test-key");
  SR_CHECK(signer.has_value());
  return *std::move(signer);
}

class RoutesTest : public testing::GatewayTest {
 protected:
  RoutesTest()
      : signer_(make_signer(random_)),
        verifier_(*http::TicketVerifier::create(signer_.public_key_line(), clock_)),
        denials_(loop_, recorder_, random_, clock_),
        desk_({.loop = loop_,
               .accounts = *accounts_,
               .recorder = recorder_,
               .random = random_,
               .clock = clock_}) {
    const RouteParts parts{.serving = serving_,
                           .payments = *service_,
                           .store = *store_,
                           .accounts = *accounts_,
                           .desk = desk_,
                           .denials = denials_};
    services_.set_ticket_verifier(verifier_);
    add_service_routes(services_, parts);
    add_operator_routes(operators_, parts);
    auto tcp =
        http::Server::listen_tcp(loop_, {"127.0.0.1", 0}, ca_.server("gatewayd"), services_, {});
    auto local = http::UnixListener::open(socket_path());
    SR_CHECK(tcp.has_value() && local.has_value());
    tcp_ = *std::move(tcp);
    local_ = http::Server::serve_unix(loop_, *std::move(local), {::geteuid()}, operators_, {});
  }
  ~RoutesTest() override {
    wait(denials_.close());
    wait(tcp_->drain(std::chrono::milliseconds(100)));
    wait(local_->drain(std::chrono::milliseconds(100)));
  }
  std::string socket_path() const { return (folder_.path() / "admin.sock").string(); }

  static async::Task<Result<http::ClientResponse>> send_and_close(http::Client& client,
                                                                  http::ClientRequest request) {
    auto response = co_await client.send(request);
    co_await client.close();
    co_return response;
  }
  http::ClientResponse send(http::ClientOptions options, http::ClientRequest request) {
    http::Client client(loop_, std::move(options));
    auto response = wait(send_and_close(client, std::move(request)));
    EXPECT_TRUE(response.has_value());
    return response ? *std::move(response) : http::ClientResponse{};
  }
  std::string ticket(std::vector<std::string> scopes, std::string merchant = kMerchant) {
    const std::int64_t now_s = clock_.now / 1'000'000;
    auto text = signer_.sign({.subject = "key_1",
                              .merchant = std::move(merchant),
                              .role = "merchant_admin",
                              .scopes = std::move(scopes),
                              .issued_at_s = now_s,
                              .expires_at_s = now_s + 60});
    SR_CHECK(text.has_value());
    return *text;
  }
  http::ClientResponse ask(http::Method method, std::string_view target, std::string_view body,
                           std::string key, std::string with_ticket,
                           const std::string& identity = "edged") {
    Headers headers{{"Strongroom-Ticket", std::move(with_ticket)},
                    {"Strongroom-Source", "192.0.2.7"}};
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    if (!key.empty()) headers.emplace_back("Idempotency-Key", std::move(key));
    return send({.host = "127.0.0.1",
                 .port = tcp_->port(),
                 .server_identity = "gatewayd",
                 .tls = ca_.client(identity)},
                {.method = method,
                 .target = target,
                 .headers = std::move(headers),
                 .body = as_bytes(body)});
  }
  http::ClientResponse post(std::string_view target, std::string_view body, std::string key) {
    return ask(http::Method::post, target, body, std::move(key), ticket({"payments:write"}));
  }
  http::ClientResponse get(std::string_view target, std::string merchant = kMerchant) {
    return ask(http::Method::get, target, "", "", ticket({"payments:read"}, std::move(merchant)));
  }
  http::ClientResponse as_operator(http::Method method, std::string_view target,
                                   std::string_view body = {}) {
    return send({.host = "localhost", .unix_path = socket_path(), .unix_users = {::geteuid()}},
                {.method = method, .target = target, .headers = {}, .body = as_bytes(body)});
  }
  static std::string text(const http::ClientResponse& response, const char* member) {
    const json::value body = json::parse(response.body);
    const json::string* value = body.as_object().at(member).if_string();
    return value ? std::string(*value) : std::string();
  }
  static std::string slug(const http::ClientResponse& response) {
    return text(response, "type").substr(std::string_view("urn:strongroom:problem:").size());
  }

  http::testing::Authority ca_;
  audit::testing::MemoryRecorder recorder_;
  http::TicketSigner signer_;
  http::TicketVerifier verifier_;
  audit::Denials denials_;
  AccountDesk desk_;
  bool serving_ = true;
  http::Router services_;
  http::Router operators_;
  std::unique_ptr<http::Server> tcp_;
  std::unique_ptr<http::Server> local_;
};

TEST_F(RoutesTest, APaymentFromAuthorizationToRefund) {
  const auto made = post("/v1/payments", kAuthorization, "k1");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(text(made, "status"), "authorized");
  const std::string path = "/v1/payments/" + text(made, "id");
  const auto captured = post(path + "/capture", R"({"amount":1000})", "\"k2\"");
  EXPECT_EQ(captured.status, 200);
  EXPECT_EQ(text(captured, "status"), "partially_captured");
  const auto refund = post(path + "/refunds", "{}", "k3");
  EXPECT_EQ(refund.status, 201);
  EXPECT_EQ(text(refund, "status"), "succeeded");
  EXPECT_EQ(text(refund, "payment"), text(made, "id"));
  EXPECT_EQ(get(path + "/refunds/" + text(refund, "id")).body, refund.body);
  const auto shown = get(path);
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(text(shown, "status"), "refunded");
  // The quoted key and the bare one are the same.
  const auto again = post(path + "/capture", R"({ "amount": 1000 })", "k2");
  EXPECT_EQ(again.body, captured.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(captured.header("idempotent-replayed"), "");
}

TEST_F(RoutesTest, VoidTakesNoBody) {
  const std::string path = "/v1/payments/" + text(post("/v1/payments", kAuthorization, "k"), "id");
  EXPECT_EQ(slug(post(path + "/void", R"({"amount":1})", "v0")), "unknown-field");
  EXPECT_EQ(text(post(path + "/void", "", "v1"), "status"), "voided");
}

TEST_F(RoutesTest, KeysAreAskedForAndGuarded) {
  EXPECT_EQ(slug(post("/v1/payments", kSale, "")), "idempotency-key-missing");
  EXPECT_EQ(slug(post("/v1/payments", kSale, "4242424242424242")), "looks-like-card-data");
  EXPECT_EQ(post("/v1/payments", kSale, "k").status, 201);
  const auto other = post("/v1/payments", kAuthorization, "k");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(slug(other), "idempotency-mismatch");
  EXPECT_EQ(post("/v1/payments", kSale, std::string(256, 'k')).status, 422);
}

TEST_F(RoutesTest, BadBodiesAreRefusedAndNotEchoed) {
  EXPECT_EQ(post("/v1/payments", "{", "k").status, 400);
  EXPECT_EQ(post("/v1/payments", "[]", "k").status, 422);
  const auto card =
      post("/v1/payments",
           R"({"amount":1,"currency":"USD","token":"tok_a","reference":"4242424242424242"})", "k");
  EXPECT_EQ(slug(card), "looks-like-card-data");
  EXPECT_FALSE(card.body.contains("4242"));
  EXPECT_EQ(processor_.requests, 0);
}

TEST_F(RoutesTest, AnotherMerchantsPaymentIsNotFound) {
  const std::string path = "/v1/payments/" + text(post("/v1/payments", kSale, "k"), "id");
  EXPECT_EQ(get(path, kOther).status, 404);
  const auto refund =
      ask(http::Method::post, path + "/refunds", "{}", "r", ticket({"payments:write"}, kOther));
  EXPECT_EQ(refund.status, 404);
  EXPECT_EQ(get("/v1/payments/pay_1").status, 404);
  EXPECT_EQ(slug(get("/v1/payments/4242424242424242")), "looks-like-card-data");
  EXPECT_EQ(get("/v1/payments", kOther).body, R"({"object":"list","data":[],"next":null})");
}

TEST_F(RoutesTest, ARefundIsFoundUnderItsPaymentAlone) {
  const std::string one = "/v1/payments/" + text(post("/v1/payments", kSale, "k1"), "id");
  const std::string two = "/v1/payments/" + text(post("/v1/payments", kSale, "k2"), "id");
  const std::string refund = "/refunds/" + text(post(one + "/refunds", "{}", "r"), "id");
  EXPECT_EQ(get(one + refund).status, 200);
  EXPECT_EQ(get(two + refund).status, 404);
  EXPECT_EQ(get(one + refund, kOther).status, 404);
  EXPECT_EQ(get(one + "/refunds/re_aaaaaaaaaaaaaaaaaaaaaaaaaa").status, 404);
  EXPECT_EQ(get(one + "/refunds/re_1").status, 404);
  EXPECT_EQ(slug(get(one + "/refunds/4242424242424242")), "looks-like-card-data");
  EXPECT_EQ(ask(http::Method::get, one + refund, "", "", ticket({"tokens:read"})).status, 403);
}

TEST_F(RoutesTest, RightsAreCheckedAndDenialsAudited) {
  const auto denied =
      ask(http::Method::post, "/v1/payments", kSale, "k", ticket({"payments:read"}));
  EXPECT_EQ(denied.status, 403);
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].user, "key_1");
  EXPECT_EQ(recorder_.entries[0].merchant_id, kMerchant);
  EXPECT_EQ(recorder_.entries[0].source_ip, "192.0.2.7");
  EXPECT_EQ(ask(http::Method::get, "/v1/payments", "", "", ticket({"tokens:read"})).status, 403);
  EXPECT_EQ(
      ask(http::Method::get, "/v1/payments", "", "", ticket({"payments:read"}), "vaultd").status,
      403);
  EXPECT_NE(ask(http::Method::get, "/v1/payments", "", "", "forged").status, 200);
  recorder_.available = false;
  EXPECT_EQ(ask(http::Method::get, "/v1/payments", "", "", ticket({})).status, 503);
}

TEST_F(RoutesTest, ListsGoOnWhereTheyEnded) {
  ASSERT_EQ(post("/v1/payments", kSale, "k1").status, 201);
  clock_.now += 1000;
  const auto newest = post("/v1/payments", kSale, "k2");
  const auto page = get("/v1/payments");
  const json::value body = json::parse(page.body);
  ASSERT_EQ(body.at("data").as_array().size(), 2U);
  EXPECT_EQ(body.at("data").as_array()[0].at("id").as_string(), text(newest, "id"));
  const auto rest = json::parse(get("/v1/payments?after=" + text(newest, "id")).body);
  EXPECT_EQ(rest.at("data").as_array().size(), 1U);
  const auto one = json::parse(get("/v1/payments?limit=1").body);
  EXPECT_EQ(one.at("data").as_array().size(), 1U);
  EXPECT_EQ(one.at("next").as_string(), text(newest, "id"));
  EXPECT_EQ(get("/v1/payments?after=pay_1").status, 422);
  EXPECT_EQ(get("/v1/payments?limit=0").status, 422);
  const std::string oldest = std::string(rest.at("data").as_array()[0].at("id").as_string());
  EXPECT_EQ(json::parse(get("/v1/payments?after=" + oldest).body).at("data").as_array().size(), 0U);
  EXPECT_EQ(get("/v1/payments?after=" + oldest, kOther).status, 422);
}

TEST_F(RoutesTest, NothingIsServedBeforeTheStartIsOver) {
  serving_ = false;
  EXPECT_EQ(get("/v1/payments").status, 503);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/connector-accounts").status, 503);
}

TEST_F(RoutesTest, AnOperatorBringsAccounts) {
  const std::string body = std::string(R"({"merchant":")") + kOther +
                           R"(","account":"AQECAwQBBnN0cmlwZQVhY2NfMUJCQkJCQkJCQkJCQgAWUohorh)"
                           R"(ryngTigb5j9xPArEB2fbYzU1csuCkB4sq8zkA"})";
  const auto added = as_operator(http::Method::post, "/v1/connector-accounts", body);
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(text(added, "id"), "acc_1");
  EXPECT_FALSE(added.body.contains("AQEC"));
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[0].phase, audit::Phase::intent);
  EXPECT_EQ(recorder_.entries[0].connector_id, "stripe");
  EXPECT_EQ(recorder_.entries[1].outcome, audit::Outcome::done);
  const auto listed =
      as_operator(http::Method::get, std::string("/v1/connector-accounts?merchant=") + kOther);
  EXPECT_EQ(json::parse(listed.body).at("data").as_array().size(), 1U);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/connector-accounts").status, 422);
  EXPECT_EQ(get("/v1/connector-accounts", kOther).body, listed.body);
  EXPECT_EQ(as_operator(http::Method::post, "/v1/connector-accounts", "{}").status, 422);
  recorder_.available = false;
  EXPECT_EQ(as_operator(http::Method::post, "/v1/connector-accounts", body).status, 503);
}

TEST_F(RoutesTest, OpenIntentsAreClosedAtTheStart) {
  audit::Entry intent;
  intent.event_type = audit::EventType::connector_account_create;
  intent.phase = audit::Phase::intent;
  intent.merchant_id = kMerchant;
  intent.resources = {"acc_1"};
  recorder_.open.push_back(intent);
  intent.resources = {"acc_never"};
  recorder_.open.push_back(intent);
  ASSERT_TRUE(wait(desk_.recover()));
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[0].outcome, audit::Outcome::done);
  EXPECT_EQ(recorder_.entries[1].outcome, audit::Outcome::not_done);
}

}  // namespace
}  // namespace strongroom::connected::gateway

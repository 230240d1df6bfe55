// authd's routes over real sockets: mutual TLS for services, a Unix socket for operators.
#include "connected/auth/routes.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <memory>
#include <string>
#include <vector>

#include "connected/auth/testing/fixture.h"
#include "http/client.h"
#include "http/server.h"
#include "http/testing/authority.h"

namespace strongroom::connected::auth {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string>>;

class RoutesTest : public testing::AuthTest {
 protected:
  RoutesTest() : denials_(loop_, recorder_, random_, clock_) {
    auto verifier = http::TicketVerifier::create(signer_->public_key_line(), clock_);
    SR_CHECK(verifier.has_value());
    verifier_.emplace(*std::move(verifier));
    const Parts parts{.serving = serving_,
                      .directory = *directory_,
                      .authority = *authority_,
                      .tickets = *office_,
                      .denials = denials_};
    services_.set_ticket_verifier(*verifier_);
    add_service_routes(services_, parts, Profile::demo);
    add_operator_routes(operators_, parts);
    auto tcp =
        http::Server::listen_tcp(loop_, {"127.0.0.1", 0}, ca_.server("authd"), services_, {});
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
  http::ClientResponse as_service(const std::string& identity, http::Method method,
                                  std::string_view target, Headers headers,
                                  std::string_view body = {}) {
    return send({.host = "127.0.0.1",
                 .port = tcp_->port(),
                 .server_identity = "authd",
                 .tls = ca_.client(identity)},
                {.method = method,
                 .target = target,
                 .headers = std::move(headers),
                 .body = as_bytes(body)});
  }
  http::ClientResponse as_operator(http::Method method, std::string_view target,
                                   std::string_view body = {}) {
    return send({.host = "localhost", .unix_path = socket_path(), .unix_users = {::geteuid()}},
                {.method = method, .target = target, .headers = {}, .body = as_bytes(body)});
  }
  http::ClientResponse ask_ticket(const std::string& identity, const std::string& authorization) {
    return as_service(identity, http::Method::post, "/v1/tickets",
                      {{"Authorization", authorization}, {"Strongroom-Source", "192.0.2.7"}});
  }
  std::string ticket_of(const CreatedKey& key) { return ask_ticket("edged", bearer(key)).body; }
  std::size_t denials() const {
    std::size_t count = 0;
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.event_type == audit::EventType::access_denied) ++count;
    }
    return count;
  }
  static boost::json::object object(const http::ClientResponse& response) {
    return boost::json::parse(response.body).as_object();
  }

  http::testing::Authority ca_;
  bool serving_ = true;
  audit::Denials denials_;
  std::optional<http::TicketVerifier> verifier_;
  http::Router services_;
  http::Router operators_;
  std::unique_ptr<http::Server> tcp_;
  std::unique_ptr<http::Server> local_;
};

TEST_F(RoutesTest, OperatorMakesMerchantAndKeyThatEdgedTurnsIntoATicket) {
  const auto merchant = as_operator(http::Method::post, "/v1/merchants", R"({"name":"Shop"})");
  ASSERT_EQ(merchant.status, 201);
  const std::string id(object(merchant).at("id").as_string());
  const auto key = as_operator(http::Method::post, "/v1/api-keys",
                               R"({"merchant":")" + id + R"(","name":"till"})");
  ASSERT_EQ(key.status, 201);
  const std::string text(object(key).at("key").as_string());
  const auto ticket = ask_ticket("edged", "Bearer " + text);
  EXPECT_EQ(ticket.status, 200);
  EXPECT_EQ(ticket.header("content-type"), "application/jwt");
  EXPECT_EQ(ticket.header("strongroom-merchant"), id);
  const auto verified = verifier_->verify(ticket.body);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->merchant, id);

  const auto listed = as_operator(http::Method::get, "/v1/api-keys?merchant=" + id);
  ASSERT_EQ(listed.status, 200);
  EXPECT_EQ(listed.body.find(text), std::string::npos);
  EXPECT_EQ(object(listed).at("data").as_array().size(), 1u);
  const auto merchants = as_operator(http::Method::get, "/v1/merchants");
  EXPECT_EQ(object(merchants).at("data").as_array().size(), 1u);
  EXPECT_TRUE(object(merchants).at("next").is_null());
}

TEST_F(RoutesTest, RevocationEndsTheKeyAtTheAdminSocket) {
  const CreatedKey key = make_key(make_merchant().id);
  const auto revoked = as_operator(http::Method::post, "/v1/api-keys/" + key.key.id + "/revoke");
  ASSERT_EQ(revoked.status, 200);
  EXPECT_TRUE(object(revoked).at("revoked_at").is_string());
  EXPECT_EQ(ask_ticket("edged", bearer(key)).status, 401);
  EXPECT_EQ(as_operator(http::Method::post, "/v1/api-keys/key_none/revoke").status, 404);
}

TEST_F(RoutesTest, DeniedKeysAreOneEntryPerSourceAndMinute) {
  for (int i = 0; i < 3; ++i) {
    const auto refused = ask_ticket("edged", "Bearer sk_test_" + std::string(52, 'a'));
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(object(refused).at("type").as_string(), "urn:strongroom:problem:api-key-invalid");
  }
  ASSERT_EQ(denials(), 1u);
  EXPECT_EQ(recorder_.entries.back().source_ip, "192.0.2.7");
  EXPECT_EQ(recorder_.entries.back().operation, "POST /v1/tickets");
  EXPECT_EQ(recorder_.entries.back().count, 1u);
}

TEST_F(RoutesTest, DenialWaitsForTheAuditLog) {
  recorder_.available = false;
  EXPECT_EQ(ask_ticket("edged", "Bearer nonsense").status, 503);
  recorder_.available = true;
}

TEST_F(RoutesTest, OnlyTheListedIdentitiesGetTickets) {
  const CreatedKey key = make_key(make_merchant().id);
  EXPECT_EQ(ask_ticket("loadgen", bearer(key)).status, 200);
  EXPECT_EQ(ask_ticket("strongroom-cards", bearer(key)).status, 200);
  EXPECT_EQ(ask_ticket("vaultd", bearer(key)).status, 403);
  EXPECT_EQ(denials(), 1u);
}

TEST_F(RoutesTest, SourceIsBelievedFromEdgedAlone) {
  EXPECT_EQ(ask_ticket("loadgen", "Bearer nonsense").status, 401);
  EXPECT_EQ(recorder_.entries.back().source_ip, "127.0.0.1");
}

TEST_F(RoutesTest, OperatorRoutesAreNotOnTheServicesListener) {
  EXPECT_EQ(as_service("edged", http::Method::get, "/v1/merchants", {}).status, 404);
  EXPECT_EQ(as_service("edged", http::Method::post, "/v1/api-keys/key_a/revoke", {}).status, 404);
}

TEST_F(RoutesTest, MerchantsAdminManagesOwnKeysWithATicket) {
  const Merchant merchant = make_merchant();
  const CreatedKey admin = make_key(merchant.id);
  const Headers headers{{"Strongroom-Ticket", ticket_of(admin)},
                        {"Content-Type", "application/json; charset=utf-8"}};
  const auto made =
      as_service("edged", http::Method::post, "/v1/api-keys", headers, R"({"name":"second"})");
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(object(made).at("merchant").as_string(), merchant.id);
  EXPECT_EQ(recorder_.entries.back().user, admin.key.id);
  const auto listed = as_service("edged", http::Method::get, "/v1/api-keys", headers);
  EXPECT_EQ(object(listed).at("data").as_array().size(), 2u);
  const std::string target = "/v1/api-keys/" + std::string(object(made).at("id").as_string());
  EXPECT_EQ(as_service("edged", http::Method::delete_, target, headers).status, 200);
}

TEST_F(RoutesTest, OwnKeyIsAskedForInJson) {
  const CreatedKey admin = make_key(make_merchant().id);
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded"}) {
    Headers headers{{"Strongroom-Ticket", ticket_of(admin)}};
    if (*type != '\0') headers.emplace_back("Content-Type", type);
    const auto refused = as_service("edged", http::Method::post, "/v1/api-keys", std::move(headers),
                                    R"({"name":"second"})");
    EXPECT_EQ(refused.status, 415) << type;
    EXPECT_EQ(object(refused).at("type").as_string(),
              "urn:strongroom:problem:unsupported-media-type");
  }
  const auto listed = as_service("edged", http::Method::get, "/v1/api-keys",
                                 {{"Strongroom-Ticket", ticket_of(admin)}});
  EXPECT_EQ(object(listed).at("data").as_array().size(), 1u);
}

TEST_F(RoutesTest, AnotherTenantsKeyIsNotThere) {
  const CreatedKey own = make_key(make_merchant("One").id);
  const CreatedKey other = make_key(make_merchant("Two").id);
  const Headers headers{{"Strongroom-Ticket", ticket_of(own)}};
  const auto refused =
      as_service("edged", http::Method::delete_, "/v1/api-keys/" + other.key.id, headers);
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(ask_ticket("edged", bearer(other)).status, 200);
}

TEST_F(RoutesTest, ReadersMayNotMakeOrRevokeKeys) {
  const CreatedKey reader = make_key(make_merchant().id, Role::merchant_user);
  const Headers headers{{"Strongroom-Ticket", ticket_of(reader)}};
  const auto made =
      as_service("edged", http::Method::post, "/v1/api-keys", headers, R"({"name":"second"})");
  EXPECT_EQ(made.status, 403);
  EXPECT_EQ(recorder_.entries.back().user, reader.key.id);
  const auto revoked =
      as_service("edged", http::Method::delete_, "/v1/api-keys/" + reader.key.id, headers);
  EXPECT_EQ(revoked.status, 403);
  EXPECT_EQ(denials(), 2u);
  EXPECT_EQ(as_service("edged", http::Method::get, "/v1/api-keys", headers).status, 200);
}

TEST_F(RoutesTest, WithoutATicketThereAreNoKeys) {
  const auto refused = as_service("edged", http::Method::get, "/v1/api-keys", {});
  EXPECT_TRUE(refused.status == 401 || refused.status == 403) << refused.status;
}

TEST_F(RoutesTest, ListOfKeysNeedsAMerchant) {
  EXPECT_EQ(as_operator(http::Method::get, "/v1/api-keys").status, 422);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/api-keys?merchant=mer_1").status, 422);
}

TEST_F(RoutesTest, OneMerchantIsShownOrIsNotThere) {
  const Merchant merchant = make_merchant();
  const auto shown = as_operator(http::Method::get, "/v1/merchants/" + merchant.id);
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(object(shown).at("id").as_string(), merchant.id);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/merchants/mer_aaaaaaaaaaaaaaaaaaaaaaaaaa").status,
            404);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/merchants/mer_1").status, 404);
  EXPECT_EQ(as_operator(http::Method::get, "/v1/merchants/4242424242424242").status, 422);
}

TEST_F(RoutesTest, ListsGiveAsManyAsTheyAreAskedFor) {
  const Merchant merchant = make_merchant("One");
  make_merchant("Two");
  make_key(merchant.id);
  const auto one = object(as_operator(http::Method::get, "/v1/merchants?limit=1"));
  EXPECT_EQ(one.at("data").as_array().size(), 1u);
  EXPECT_EQ(one.at("next").as_string(), one.at("data").as_array()[0].at("id").as_string());
  EXPECT_EQ(as_operator(http::Method::get, "/v1/merchants?limit=101").status, 422);
  const Headers headers{{"Strongroom-Ticket", ticket_of(make_key(merchant.id))}};
  const auto keys = as_service("edged", http::Method::get, "/v1/api-keys?limit=1", headers);
  EXPECT_EQ(object(keys).at("data").as_array().size(), 1u);
  EXPECT_EQ(as_service("edged", http::Method::get, "/v1/api-keys?limit=x", headers).status, 422);
}

TEST_F(RoutesTest, NothingIsServedBeforeRecovery) {
  const CreatedKey key = make_key(make_merchant().id);
  serving_ = false;
  EXPECT_EQ(ask_ticket("edged", bearer(key)).status, 503);
  EXPECT_EQ(as_operator(http::Method::post, "/v1/merchants", R"({"name":"x"})").status, 503);
  serving_ = true;
  EXPECT_EQ(ask_ticket("edged", bearer(key)).status, 200);
}

TEST_F(RoutesTest, DatabaseLossIsSaidAsSuch) {
  close_database();
  EXPECT_EQ(as_operator(http::Method::get, "/v1/merchants").status, 503);
  EXPECT_EQ(as_operator(http::Method::post, "/v1/merchants", R"({"name":"x"})").status, 503);
  EXPECT_EQ(ask_ticket("edged", "Bearer sk_test_" + std::string(52, 'a')).status, 503);
}

}  // namespace
}  // namespace strongroom::connected::auth

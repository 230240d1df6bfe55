// What vaultd reads of the null connector's blobs, and what that connector takes.
#include "loadgen/null_connector.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "http/client.h"
#include "http/testing/authority.h"
#include "http/testing/server_thread.h"

namespace strongroom::bench {
namespace {

using http::testing::ServerThread;

TEST(NullBlobTest, HasAHeadThatVaultdReads) {
  for (const auto kind : {wire::SealedKind::account, wire::SealedKind::processor_token}) {
    const auto head = wire::parse_sealed_text(null_blob(kind, "acc_7"));
    ASSERT_TRUE(head.has_value());
    EXPECT_EQ(head->kind, kind);
    EXPECT_EQ(head->connector, kNullConnector);
    EXPECT_EQ(head->account_id, "acc_7");
  }
}

class NullConnectorTest : public testing::Test {
 protected:
  NullConnectorTest() {
    add_null_connector(router_);
    server_.emplace(router_, [this](async::Loop& loop, http::Router& router) {
      return http::Server::listen_tcp(
          loop, {.address = "127.0.0.1", .port = 0},
          *http::TlsContext::server(authority_.options("connectord-null")), router, {});
    });
  }
  http::ClientResponse post(const std::string& identity, std::string_view body) {
    async::Loop loop;
    http::Client client(loop, {.host = "127.0.0.1",
                               .port = server_->port(),
                               .server_identity = "connectord-null",
                               .tls = authority_.client(identity)});
    const http::ClientRequest request{
        .method = http::Method::post, .target = "/v1/stored-cards", .body = as_bytes(body)};
    auto answer = loop.run_until_done(client.send(request));
    EXPECT_TRUE(answer.has_value());
    loop.run_until_done(client.close());
    return answer ? *std::move(answer) : http::ClientResponse{};
  }

  http::testing::Authority authority_;
  http::Router router_;
  std::optional<ServerThread> server_;
};

TEST_F(NullConnectorTest, AnswersACardWithAProcessorToken) {
  const auto answer = post("vaultd", R"({"card":{"number":"4242424242424242"}})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, R"({"processor_token":")" +
                             null_blob(wire::SealedKind::processor_token, "acc_null") + R"("})");
}

TEST_F(NullConnectorTest, RefusesWhatHoldsNoCardAndWhoIsNotVaultd) {
  EXPECT_EQ(post("vaultd", "{}").status, 422);
  EXPECT_EQ(post("loadgen", R"({"card":{"number":"4242424242424242"}})").status, 403);
}

}  // namespace
}  // namespace strongroom::bench

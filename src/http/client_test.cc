#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>

#include "base/encoding.h"
#include "base/try.h"
#include "http/testing/authority.h"
#include "http/testing/raw_server.h"
#include "http/testing/server_thread.h"

namespace strongroom::http {
namespace {

using namespace std::chrono_literals;
using testing::Authority;
using ::testing::HasSubstr;
using testing::RawConnection;
using testing::RawServer;
using testing::ServerThread;
using ::testing::StartsWith;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async::Task<Response> echo(Request& request) {
  Response response = json_response(200, std::string(as_text(request.body())));
  response.headers.emplace_back("Ticket", request.header("strongroom-ticket"));
  co_return response;
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    router_.add({.method = Method::post,
                 .pattern = "/echo",
                 .identities = {"edged"},
                 .body_bytes_max = 200'000,
                 .handler = &echo});
    router_.add(
        {.method = Method::get, .pattern = "/echo", .identities = {"edged"}, .handler = &echo});
    router_.add({.method = Method::get,
                 .pattern = "/slow",
                 .identities = {"edged"},
                 .handler = [this](Request&) { return slow(*server_, slow_for_); }});
  }
  static async::Task<Response> slow(ServerThread& server, std::chrono::milliseconds duration) {
    co_await server.loop().sleep_for(duration);
    co_return json_response(200, "{}");
  }
  void start() {
    server_ = std::make_unique<ServerThread>(router_, [this](async::Loop& loop, Router& router) {
      return Server::listen_tcp(loop, {.address = "127.0.0.1", .port = 0},
                                authority_.server("vaultd"), router, limits_);
    });
    options_.port = server_->port();
  }
  Client& client() {
    if (!client_) client_ = std::make_unique<Client>(loop_, options_);
    return *client_;
  }
  Result<ClientResponse> send(const ClientRequest& request) {
    return loop_.run_until_done(client().send(request));
  }
  Result<ClientResponse> ask() { return send({.method = Method::get, .target = "/echo"}); }
  Result<ClientResponse> pay() {
    return send({.method = Method::post, .target = "/echo", .body = as_bytes("pay")});
  }
  // The answer or error of one POST to a server with these scripts.
  Result<ClientResponse> pay_to(std::vector<RawServer::Script> scripts) {
    RawServer server(authority_.server("vaultd"), std::move(scripts));
    options_.port = server.port();
    auto result = pay();
    client_.reset();
    return result;
  }
  void expect_error(const Result<ClientResponse>& result, ErrorCode code) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), code) << result.error().what();
  }

  Authority authority_;
  Router router_;
  ServerLimits limits_;
  std::chrono::milliseconds slow_for_{50};
  std::unique_ptr<ServerThread> server_;
  async::Loop loop_;
  ClientOptions options_{.host = "localhost",
                         .server_identity = "vaultd",
                         .tls = authority_.client("edged"),
                         .connect_timeout = 10s,
                         .response_timeout = 10s};
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, SendGivesTheAnswer) {
  start();
  ClientRequest request{.method = Method::post, .target = "/echo", .body = as_bytes("{}")};
  request.headers.emplace_back("Strongroom-Ticket", "abc");
  const auto answer = send(request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(answer->header("content-type"), "application/json");
  EXPECT_EQ(answer->header("ticket"), "abc");
  EXPECT_EQ(answer->header("absent"), "");
}

TEST_F(ClientTest, SendTakesEveryStatus) {
  start();
  const auto answer = send({.method = Method::put, .target = "/nowhere"});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 404);
  EXPECT_THAT(answer->body, HasSubstr("not-found"));
}

TEST_F(ClientTest, SendsBodiesOfEverySize) {
  start();
  for (const std::size_t size : {0u, 1u, 4'096u, 16'384u, 16'385u, 200'000u}) {
    const std::string body(size, 'b');
    const auto answer = send({.method = Method::post, .target = "/echo", .body = as_bytes(body)});
    ASSERT_TRUE(answer.has_value()) << size;
    EXPECT_EQ(answer->body, body);
  }
  EXPECT_EQ(server_->counters().connections_accepted, 1u);
}

TEST_F(ClientTest, KeepsConnectionsAndUsesThemAgain) {
  start();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(ask().has_value());
  EXPECT_EQ(server_->counters().connections_accepted, 1u);
  EXPECT_EQ(server_->counters().requests, 10u);
}

async::Task<int> many(Client& client, int count, std::string_view target) {
  int answered = 0;
  int ended = 0;
  std::coroutine_handle<> waiting;
  const auto one = [](Client& c, std::string_view where, int all, int& good, int& over,
                      std::coroutine_handle<>& handle) -> async::Task<void> {
    const ClientRequest request{.method = Method::get, .target = where};
    const auto answer = co_await c.send(request);
    if (answer && answer->status == 200) ++good;
    if (++over == all) handle.resume();
  };
  struct All {
    std::coroutine_handle<>& waiting;
    std::function<void()> begin;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      waiting = handle;
      begin();
    }
    void await_resume() const noexcept {}
  };
  All all{waiting, [&] {
            for (int i = 0; i < count; ++i) {
              async::spawn(one(client, target, count, answered, ended, waiting));
            }
          }};
  co_await all;
  co_return answered;
}

TEST_F(ClientTest, WaitersShareThePoolInOrder) {
  options_.connections_max = 3;
  start();
  EXPECT_EQ(loop_.run_until_done(many(client(), 30, "/slow")), 30);
  EXPECT_EQ(server_->counters().connections_accepted, 3u);
}

TEST_F(ClientTest, RefusesBeyondTheQueue) {
  options_.connections_max = 1;
  options_.waiting_max = 2;
  start();
  EXPECT_EQ(loop_.run_until_done(many(client(), 5, "/slow")), 3);
}

TEST_F(ClientTest, GivesUpWaitingForAConnection) {
  options_.connections_max = 1;
  options_.turn_timeout = 500ms;
  slow_for_ = 1'500ms;
  start();
  EXPECT_EQ(loop_.run_until_done(many(client(), 3, "/slow")), 1);
}

TEST_F(ClientTest, ReplacesAConnectionThatTheServerClosed) {
  limits_.idle_timeout = 60ms;
  start();
  ASSERT_TRUE(pay().has_value());
  std::this_thread::sleep_for(200ms);
  ASSERT_TRUE(pay().has_value());
  EXPECT_EQ(server_->counters().connections_accepted, 2u);
}

TEST_F(ClientTest, ClosesConnectionsThatIdle) {
  options_.idle_timeout = 40ms;
  start();
  ASSERT_TRUE(ask().has_value());
  loop_.run_until_done(loop_.sleep_for(150ms));
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ClientTest, NothingListensIsUnavailable) {
  start();
  server_->stop();
  expect_error(pay(), ErrorCode::unavailable);
}

TEST_F(ClientTest, ASilentPeerIsUnavailableBeforeTheRequest) {
  options_.connect_timeout = 50ms;
  const auto listener = internal::listen_tcp("127.0.0.1", 0);
  options_.port = internal::local_port(listener->get());
  expect_error(pay(), ErrorCode::unavailable);
}

TEST_F(ClientTest, AWrongServerGetsNothing) {
  start();
  options_.server_identity = "gatewayd";
  expect_error(pay(), ErrorCode::permission_denied);
  client_.reset();
  options_.server_identity = "vaultd";
  Authority stranger;
  options_.tls = stranger.client("edged");
  expect_error(pay(), ErrorCode::permission_denied);
  EXPECT_EQ(server_->counters().requests, 0u);
}

TEST_F(ClientTest, AServerThatRefusesUsIsNoUnknownOutcome) {
  start();
  options_.tls = authority_.anonymous_client();
  expect_error(pay(), ErrorCode::permission_denied);
  client_.reset();
  options_.tls = authority_.client_with_uri("spiffe://elsewhere/edged");
  expect_error(pay(), ErrorCode::permission_denied);
  EXPECT_EQ(server_->counters().requests, 0u);
}

TEST_F(ClientTest, AnOutsideHostMustProveItsName) {
  start();
  // Without ca_pem the system's authorities decide, and none of them knows the test CA.
  options_.server_identity.clear();
  auto tls = TlsContext::client(TlsOptions{});
  options_.tls = *tls;
  expect_error(pay(), ErrorCode::permission_denied);
}

TEST_F(ClientTest, ClientOfHostsBelievesItsCaAndTheHostsName) {
  TlsOptions open_to_all = authority_.options("edged");
  open_to_all.ca_pem.clear();
  auto tls = TlsContext::server(open_to_all);
  router_.add(
      {.method = Method::get, .pattern = "/public", .identities = {kAnyone}, .handler = &echo});
  server_ = std::make_unique<ServerThread>(router_, [&](async::Loop& loop, Router& router) {
    return Server::listen_tcp(loop, {.address = "127.0.0.1", .port = 0}, *tls, router, limits_);
  });
  options_.port = server_->port();
  options_.server_identity.clear();
  const auto status_at = [this](const char* host, const Authority& authority) {
    client_.reset();
    options_.host = host;
    options_.tls = *TlsContext::client_of_hosts(authority.ca_pem());
    return send({.method = Method::get, .target = "/public"});
  };
  for (const char* named : {"localhost", "127.0.0.1"}) {
    const auto answer = status_at(named, authority_);
    ASSERT_TRUE(answer.has_value()) << named;
    EXPECT_EQ(answer->status, 200);
  }
  // The same server by an address that its certificate does not name (Linux takes it for this
  // host), and with a CA that did not sign it.
  expect_error(status_at("0.0.0.0", authority_), ErrorCode::permission_denied);
  expect_error(status_at("localhost", Authority{}), ErrorCode::permission_denied);
}

TEST_F(ClientTest, DeathAfterTheRequestIsUnknownOutcome) {
  const auto hear = [](RawConnection& connection) { connection.hear(); };
  expect_error(pay_to({hear}), ErrorCode::unknown_outcome);
  expect_error(pay_to({[](RawConnection& connection) {
                 connection.hear();
                 connection.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
               }}),
               ErrorCode::unknown_outcome);
}

TEST_F(ClientTest, NoAnswerInTimeIsUnknownOutcome) {
  options_.response_timeout = 60ms;
  expect_error(pay_to({[](RawConnection& connection) {
                 connection.hear();
                 connection.hear_all();
               }}),
               ErrorCode::unknown_outcome);
}

TEST_F(ClientTest, MalformedOrTooLargeAnswersAreUnknownOutcome) {
  options_.response_bytes_max = 100;
  const std::string big(101, 'x');
  for (const std::string& answer :
       {std::string("nonsense\r\n\r\n"), std::string("HTTP/1.0 200 OK\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + big,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + big + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: " + std::string(40'000, 'a') + "\r\n\r\n",
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        std::string("HTTP/1.1 101 Switching\r\n\r\n")}) {
    expect_error(pay_to({[&](RawConnection& connection) {
                   connection.hear();
                   connection.say(answer);
                 }}),
                 ErrorCode::unknown_outcome);
  }
}

TEST_F(ClientTest, ReadsEveryFraming) {
  for (const std::string_view answer :
       {kOk,
        std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n"
                         "1;x=y\r\nk\r\n0\r\nTrailer: t\r\n\r\n"),
        std::string_view("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n"
                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}) {
    const auto result = pay_to({[&](RawConnection& connection) {
      connection.hear();
      for (const char c : answer) connection.say({&c, 1});
      connection.hear_all();
    }});
    ASSERT_TRUE(result.has_value()) << answer;
    EXPECT_EQ(result->body, "ok");
  }
}

TEST_F(ClientTest, AKeptConnectionThatDiesIsReplacedForReadsOnly) {
  const RawServer::Script once_then_die = [](RawConnection& connection) {
    connection.hear();
    connection.say(kOk);
    connection.hear();  // the second request, never answered
  };
  const RawServer::Script answer = [](RawConnection& connection) {
    connection.hear();
    connection.say(kOk);
    connection.hear_all();
  };
  {
    RawServer server(authority_.server("vaultd"), {once_then_die, answer});
    options_.port = server.port();
    ASSERT_TRUE(ask().has_value());
    EXPECT_TRUE(ask().has_value());
    client_.reset();
  }
  {
    RawServer server(authority_.server("vaultd"), {once_then_die});
    options_.port = server.port();
    ASSERT_TRUE(pay().has_value());
    expect_error(pay(), ErrorCode::unknown_outcome);
    client_.reset();
  }
}

TEST_F(ClientTest, DoesNotTrustAConnectionWithBytesNobodyAskedFor) {
  const RawServer::Script too_much = [](RawConnection& connection) {
    connection.hear();
    connection.say(std::string(kOk) + "HTTP/1.1 500 Evil\r\nContent-Length: 0\r\n\r\n");
    connection.hear_all();
  };
  RawServer server(authority_.server("vaultd"), {too_much, too_much});
  options_.port = server.port();
  for (int i = 0; i < 2; ++i) {
    const auto answer = ask();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
  }
  client_.reset();
}

TEST_F(ClientTest, RefusesHeadsThatCouldSplit) {
  start();
  const auto refused = [this](std::string_view target, std::string_view name, std::string value) {
    ClientRequest request{.method = Method::get, .target = target};
    request.headers.emplace_back(name, std::move(value));
    const auto result = send(request);
    return !result && result.error().code() == ErrorCode::invalid_argument;
  };
  EXPECT_TRUE(refused("/a\r\nB: c", "A", "b"));
  EXPECT_TRUE(refused("/a b", "A", "b"));
  EXPECT_TRUE(refused("a", "A", "b"));
  EXPECT_TRUE(refused("", "A", "b"));
  EXPECT_TRUE(refused("/", "A", "b\r\nC: d"));
  EXPECT_TRUE(refused("/", "A\n", "b"));
  EXPECT_TRUE(refused("/", "", "b"));
  EXPECT_EQ(server_->counters().connections_accepted, 0u);
}

TEST_F(ClientTest, SetTlsDropsOldConnections) {
  start();
  ASSERT_TRUE(ask().has_value());
  client().set_tls(authority_.client("edged"));
  ASSERT_TRUE(ask().has_value());
  EXPECT_EQ(server_->counters().connections_accepted, 2u);
}

TEST_F(ClientTest, GoesToTheAddressesThatAreGivenForAName) {
  start();
  options_.host = "processor.invalid";
  options_.addresses = {"127.0.0.2", "127.0.0.1"};  // nobody listens at the first
  const auto answer = ask();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  options_.addresses = {"127.0.0.2"};
  client_.reset();
  expect_error(ask(), ErrorCode::unavailable);
}

TEST_F(ClientTest, CloseWaitsForSendsAndRefusesLaterOnes) {
  start();
  const auto close_under_way = [](Client& client, bool& answered) -> async::Task<void> {
    const auto slow_one = [](Client& c, bool& good) -> async::Task<void> {
      const ClientRequest request{.method = Method::get, .target = "/slow"};
      const auto answer = co_await c.send(request);
      good = answer.has_value();
    };
    async::spawn(slow_one(client, answered));
    co_await client.close();
  };
  bool answered = false;
  loop_.run_until_done(close_under_way(client(), answered));
  EXPECT_TRUE(answered);
  expect_error(ask(), ErrorCode::unavailable);
}

TEST_F(ClientTest, DrainUnderLoadLosesNoAnswer) {
  start();
  auto drained = server_->drain(5s);
  drained.wait();
  server_->stop();
  start();
  // Requests under way when the server drains are answered; later ones never reach it.
  const auto load = [](Client& client, ServerThread& server, int& unknown) -> async::Task<int> {
    int good = 0;
    std::future<void> ended;
    for (int i = 0; i < 400; ++i) {
      if (i == 200) ended = server.drain(5s);
      const ClientRequest request{.method = Method::post, .target = "/echo"};
      const auto answer = co_await client.send(request);
      if (answer) ++good;
      if (!answer && answer.error().code() != ErrorCode::unavailable) ++unknown;
    }
    co_return good;
  };
  int unknown = 0;
  const int good = loop_.run_until_done(load(client(), *server_, unknown));
  EXPECT_GE(good, 200);
  EXPECT_EQ(unknown, 0);
}

TEST_F(ClientTest, LeavesNothingInTheSecretArena) {
  start();
  const auto tls = options_.tls;
  const std::size_t base = secret_memory_used_bytes();
  const std::string card = R"({"card":{"number":"4242424242424242"}})";
  ASSERT_TRUE(
      send({.method = Method::post, .target = "/echo", .body = as_bytes(card)}).has_value());
  for (int i = 0; i < 100 && secret_memory_used_bytes() > base; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(secret_memory_used_bytes(), base);  // with the connection kept
}

TEST_F(ClientTest, SpeaksOverUnixSockets) {
  const std::string path = ::testing::TempDir() + "sr_client_" + std::to_string(::getpid());
  Router router;
  router.add(
      {.method = Method::get, .pattern = "/healthz", .identities = {kLocal}, .handler = &echo});
  ServerThread server(router, [&](async::Loop& loop, Router& routes) {
    auto listener = UnixListener::open(path);
    SR_CHECK(listener.has_value());
    return Result<std::unique_ptr<Server>>(
        Server::serve_unix(loop, *std::move(listener), {::geteuid()}, routes, {}));
  });
  Client local(loop_, {.unix_path = path, .unix_users = {::geteuid()}});
  const ClientRequest request{.method = Method::get, .target = "/healthz"};
  for (int i = 0; i < 3; ++i) {
    const auto answer = loop_.run_until_done(local.send(request));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
  }
  EXPECT_EQ(server.counters().connections_accepted, 1u);
  Client suspicious(loop_, {.unix_path = path, .unix_users = {::geteuid() + 1}});
  expect_error(loop_.run_until_done(suspicious.send(request)), ErrorCode::permission_denied);
  EXPECT_EQ(server.counters().requests, 3u) << "something was sent";
  Client nobody(loop_, {.unix_path = path + ".absent"});
  expect_error(loop_.run_until_done(nobody.send(request)), ErrorCode::unavailable);
  const auto once = send_once({.unix_path = path, .unix_users = {::geteuid()}}, request);
  ASSERT_TRUE(once.has_value());
  EXPECT_EQ(once->status, 200);
  expect_error(send_once({.unix_path = path + ".absent"}, request), ErrorCode::unavailable);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace strongroom::http

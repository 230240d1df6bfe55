#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "base/encoding.h"
#include "http/testing/authority.h"
#include "http/testing/raw_connection.h"
#include "http/testing/server_thread.h"

namespace strongroom::http {
namespace {

using namespace std::chrono_literals;
using internal::IoStatus;
using testing::Authority;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::post;
using testing::RawConnection;
using testing::ServerThread;
using ::testing::StartsWith;

async::Task<Response> echo(Request& request) {
  Response response = json_response(200, std::string(as_text(request.body())));
  response.headers.emplace_back("Peer", request.peer().identity);
  response.headers.emplace_back("Source", request.peer().source);
  co_return response;
}

// A server of vaultd's kind with short limits.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    router_.add({.method = Method::post,
                 .pattern = "/echo",
                 .identities = {"edged"},
                 .body_bytes_max = 10'000,
                 .handler = &echo});
    router_.add(
        {.method = Method::get, .pattern = "/echo", .identities = {"edged"}, .handler = &echo});
    router_.add({.method = Method::post,
                 .pattern = "/small",
                 .identities = {"edged"},
                 .body_bytes_max = 8,
                 .handler = &echo});
    router_.add(
        {.method = Method::get, .pattern = "/bad", .identities = {"edged"}, .handler = &bad});
    router_.add({.method = Method::get,
                 .pattern = "/slow",
                 .identities = {"edged"},
                 .handler = [this](Request& request) { return slow(request, *this); }});
    router_.add({.method = Method::get,
                 .pattern = "/withheld",
                 .identities = {"edged"},
                 .handler = [](Request&) { return undelivered(Delivery::withheld); }});
    router_.add({.method = Method::get,
                 .pattern = "/reset",
                 .identities = {"edged"},
                 .handler = [](Request&) { return undelivered(Delivery::reset); }});
  }

  static async::Task<Response> undelivered(Delivery delivery) {
    Response response = json_response(200, "{}");
    response.delivery = delivery;
    co_return response;
  }

  static async::Task<Response> bad(Request&) {
    Response response{.status = 200, .content_type = "", .headers = {}, .body = {}};
    response.headers.emplace_back("Name", "value\r\nInjected: yes");
    co_return response;
  }
  static async::Task<Response> slow(Request&, ServerTest& test) {
    ++test.handling_;
    co_await test.server_->loop().sleep_for(test.slow_for_);
    co_return json_response(200, "{}");
  }

  void start() {
    server_ = std::make_unique<ServerThread>(router_, [this](async::Loop& loop, Router& router) {
      return Server::listen_tcp(loop, {.address = "127.0.0.1", .port = 0},
                                authority_.server("vaultd"), router, limits_);
    });
  }
  // A connection of edged's, hands shaken.
  std::unique_ptr<RawConnection> connect() {
    auto connection = std::make_unique<RawConnection>(server_->port(), edged_);
    EXPECT_EQ(connection->handshake(), IoStatus::done);
    return connection;
  }
  // The answer to a request that must be the connection's last.
  std::string last_answer(std::string_view request) {
    const auto connection = connect();
    connection->say(request);
    return connection->hear_all();
  }

  Authority authority_;
  std::shared_ptr<const TlsContext> edged_ = authority_.client("edged");
  Router router_;
  ServerLimits limits_;  // generous: a test of one shortens it
  std::chrono::milliseconds slow_for_{150};
  std::atomic<int> handling_{0};
  std::unique_ptr<ServerThread> server_;
};

TEST_F(ServerTest, AnswersWithBodyAndFields) {
  start();
  const auto connection = connect();
  connection->say(post("/echo", "{\"a\":1}"));
  const std::string answer = connection->hear();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 7\r\n"));
  EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("Peer: edged\r\nSource: 127.0.0.1\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n{\"a\":1}"));
  EXPECT_THAT(answer, Not(HasSubstr("Server:")));
  EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
}

TEST_F(ServerTest, KeepsTheConnectionForMoreRequests) {
  start();
  const auto connection = connect();
  for (int i = 0; i < 20; ++i) {
    const std::string body(static_cast<std::size_t>(i) * 200, 'x');
    connection->say(post("/echo", body));
    EXPECT_THAT(connection->hear(), ::testing::EndsWith("\r\n\r\n" + body));
  }
  EXPECT_EQ(server_->counters().connections_accepted, 1u);
  EXPECT_EQ(server_->counters().requests, 20u);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  const auto connection = connect();
  // Several in one record, and one that is cut in the middle of head and body.
  connection->say(post("/echo", "one") + post("/echo", "two") + "POST /ec");
  EXPECT_THAT(connection->hear(), ::testing::EndsWith("one"));
  EXPECT_THAT(connection->hear(), ::testing::EndsWith("two"));
  connection->say("ho HTTP/1.1\r\nHost: v\r\nContent-Length: 5\r\n\r\nth");
  connection->say("ree" + get("/echo"));
  EXPECT_THAT(connection->hear(), ::testing::EndsWith("three"));
  EXPECT_THAT(connection->hear(), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(ServerTest, TakesBodiesUpToTheRoutesLimit) {
  start();
  const auto connection = connect();
  const std::string body(10'000, 'b');
  connection->say(post("/echo", body) + post("/small", "12345678"));
  EXPECT_THAT(connection->hear(), ::testing::EndsWith(body));
  EXPECT_THAT(connection->hear(), ::testing::EndsWith("12345678"));
}

TEST_F(ServerTest, RefusesTooLargeBodiesBeforeTheyAreSent) {
  start();
  for (const std::string& request :
       {post("/echo", std::string(10'001, 'b')), post("/small", "123456789"),
        post("/nowhere", std::string(kBodyBytesMax + 1, 'b'))}) {
    const std::string answer = last_answer(request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 ")) << request.substr(0, 20);
    EXPECT_THAT(answer, HasSubstr("urn:strongroom:problem:too-large"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  }
  EXPECT_EQ(server_->counters().requests_refused, 3u);
}

TEST_F(ServerTest, RefusesTooLargeHeads) {
  start();
  EXPECT_THAT(last_answer(get("/echo", "A: " + std::string(17'000, 'a') + "\r\n")),
              StartsWith("HTTP/1.1 431 "));
  // Never an end of line: refused when the limit is reached, not when memory is.
  EXPECT_THAT(last_answer(std::string(20'000, 'G')), StartsWith("HTTP/1.1 431 "));
  std::string many;
  for (int i = 0; i < 64; ++i) many.append("A: b\r\n");
  EXPECT_THAT(last_answer(get("/echo", many)), StartsWith("HTTP/1.1 431 "));
  const auto connection = connect();
  connection->say(get("/echo", "A: " + std::string(15'000, 'a') + "\r\n"));
  EXPECT_THAT(connection->hear(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, RefusesWhatCouldSmuggleARequest) {
  start();
  const std::string refused = "HTTP/1.1 400 ";
  EXPECT_THAT(last_answer(post("/echo", "0\r\n\r\n", "Transfer-Encoding: chunked\r\n")),
              StartsWith(refused));
  EXPECT_THAT(last_answer(post("/echo", "abc", "Content-Length: 3\r\n")), StartsWith(refused));
  EXPECT_THAT(last_answer("POST /echo HTTP/1.1\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n"),
              StartsWith("HTTP/1.1 411 "));
  EXPECT_THAT(last_answer("GET /echo HTTP/1.1\nHost: v\n\n"), StartsWith(refused));
  const std::string answer = last_answer("GET /echo HTTP/1.0\r\nHost: v\r\n\r\n" + get("/echo"));
  EXPECT_THAT(answer, StartsWith(refused));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(answer.find("200 OK"), std::string::npos);
}

TEST_F(ServerTest, ClosesWhenAsked) {
  start();
  const std::string answer = last_answer(get("/echo", "Connection: close\r\n") + get("/echo"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(answer.find("HTTP/1.1", 8), std::string::npos);
}

TEST_F(ServerTest, AnswersHeadWithoutBody) {
  start();
  const auto connection = connect();
  connection->say("HEAD /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 2\r\n\r\n{}" +
                  get("/echo", "Connection: close\r\n"));
  const std::string answers = connection->hear_all();
  EXPECT_THAT(answers, HasSubstr("Content-Length: 2\r\n"));
  EXPECT_THAT(answers, HasSubstr("\r\n\r\nHTTP/1.1 200 OK"));
}

TEST_F(ServerTest, AsksForABodyThatWaits) {
  start();
  const auto connection = connect();
  connection->say(
      "POST /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(connection->hear(), "HTTP/1.1 100 Continue\r\n\r\n");
  connection->say("{}");
  EXPECT_THAT(connection->hear(), ::testing::EndsWith("\r\n\r\n{}"));
  // A body that would be refused is not asked for.
  connection->say(
      "POST /small HTTP/1.1\r\nHost: v\r\nContent-Length: 9\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_THAT(connection->hear(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, NeverEchoesThePathInAProblem) {
  start();
  const auto connection = connect();
  connection->say(get("/4242424242424242?n=4242424242424242") +
                  "PUT /echo HTTP/1.1\r\nHost: v\r\n\r\n");
  const std::string missing = connection->hear();
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 Not Found"));
  EXPECT_THAT(missing, HasSubstr("application/problem+json"));
  EXPECT_THAT(missing, Not(HasSubstr("4242")));
  const std::string method = connection->hear();
  EXPECT_THAT(method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(method, HasSubstr("Allow: POST, GET, HEAD\r\n"));
}

TEST_F(ServerTest, AnswersFieldsWithLineEndsAs500) {
  start();
  const auto connection = connect();
  connection->say(get("/bad"));
  const std::string answer = connection->hear();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("Injected")));
}

TEST_F(ServerTest, TakesRequestIdsOfServicesOnly) {
  start();
  const auto connection = connect();
  const std::string id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee";
  connection->say(get("/echo", "Strongroom-Request-Id: " + id + "\r\n"));
  EXPECT_THAT(connection->hear(), HasSubstr("Strongroom-Request-Id: " + id + "\r\n"));
  connection->say(get("/echo", "Strongroom-Request-Id: 4242424242424242\r\n"));
  const std::string answer = connection->hear();
  EXPECT_THAT(answer, Not(HasSubstr("4242424242424242")));
  EXPECT_THAT(answer, ::testing::ContainsRegex("Strongroom-Request-Id: [0-9a-f-]{36}\r\n"));
}

TEST_F(ServerTest, GivesUpOnASlowHandshake) {
  limits_.handshake_timeout = 200ms;
  start();
  RawConnection silent(server_->port(), nullptr);
  EXPECT_TRUE(silent.is_closed());
  RawConnection not_tls(server_->port(), nullptr);
  not_tls.say("GET / HTTP/1.1\r\n\r\n");
  not_tls.hear_all();
  EXPECT_EQ(server_->counters().handshakes_failed, 2u);
}

TEST_F(ServerTest, GivesUpOnASlowHead) {
  limits_.header_timeout = 300ms;
  start();
  const auto connection = connect();
  const auto begin = std::chrono::steady_clock::now();
  std::string answer;
  // One byte now and then keeps no connection alive: the limit is for the whole head.
  for (const char c : std::string_view("GET /echo HTTP/1.1\r\nHost: vvvvvvvvvvvvvvvvvvvvvvvv")) {
    if (!connection->say({&c, 1})) break;
    std::this_thread::sleep_for(20ms);
    if (std::chrono::steady_clock::now() - begin > 700ms) break;
  }
  EXPECT_THAT(connection->hear_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(ServerTest, GivesUpOnASlowBody) {
  limits_.body_timeout = 200ms;
  start();
  EXPECT_THAT(last_answer("POST /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 9000\r\n\r\nabc"),
              StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(last_answer("POST /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 10\r\n\r\nabc"),
              StartsWith("HTTP/1.1 408 "));
}

TEST_F(ServerTest, ClosesIdleConnectionsSilently) {
  limits_.idle_timeout = 200ms;
  start();
  const auto connection = connect();
  connection->say(get("/echo"));
  EXPECT_THAT(connection->hear(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(connection->is_closed());
}

TEST_F(ServerTest, WithholdsAnAnswerUntilTheIdleTimeIsOver) {
  limits_.idle_timeout = 400ms;
  start();
  const auto connection = connect();
  const auto begin = std::chrono::steady_clock::now();
  connection->say(get("/withheld"));
  EXPECT_TRUE(connection->is_closed());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
}

TEST_F(ServerTest, LetsAClientLeaveAWithheldAnswer) {
  start();
  auto connection = connect();
  connection->say(get("/withheld"));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(server_->connections(), 1u);
  connection.reset();
  for (int i = 0; i < 100 && server_->connections() > 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ServerTest, DrainCutsAWithheldAnswer) {
  start();
  const auto connection = connect();
  connection->say(get("/withheld"));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(server_->drain(100ms).wait_for(5s), std::future_status::ready);
}

TEST_F(ServerTest, ResetsInPlaceOfAnAnswer) {
  start();
  const auto connection = connect();
  connection->say(get("/reset"));
  pollfd waiting{.fd = connection->fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&waiting, 1, 5'000), 1);
  char byte = 0;
  EXPECT_EQ(::recv(connection->fd(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(ServerTest, GivesUpOnAPeerThatDoesNotRead) {
  limits_.write_timeout = 200ms;
  start();
  const auto connection = connect();
  std::string requests;
  const std::string body(9'000, 'b');
  for (int i = 0; i < 2'000; ++i) requests.append(post("/echo", body));
  connection->say(requests);  // ends when the server closes
  connection->hear_all();
  for (int i = 0; i < 100 && server_->connections() > 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ServerTest, ClosesTheLongestIdleWhenFull) {
  limits_.connections_max = 2;
  start();
  const auto first = connect();
  first->say(get("/echo"));
  first->hear();
  std::this_thread::sleep_for(30ms);
  const auto second = connect();
  second->say(get("/echo"));
  second->hear();
  const auto third = connect();
  third->say(get("/echo"));
  EXPECT_THAT(third->hear(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(first->is_closed());
  second->say(get("/echo"));
  EXPECT_THAT(second->hear(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, TurnsAwayWhenFullAndNothingIsIdle) {
  limits_.connections_max = 1;
  start();
  const auto busy = connect();
  busy->say(get("/slow"));
  while (handling_ == 0) std::this_thread::sleep_for(1ms);
  RawConnection turned_away(server_->port(), edged_);
  EXPECT_NE(turned_away.handshake(), IoStatus::done);
  EXPECT_THAT(busy->hear(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server_->counters().connections_refused, 1u);
}

TEST_F(ServerTest, SaysOverloadedBeyondRequestsInFlight) {
  limits_.requests_in_flight_max = 1;
  start();
  const auto busy = connect();
  busy->say(get("/slow"));
  while (handling_ == 0) std::this_thread::sleep_for(1ms);
  const auto other = connect();
  other->say(get("/echo"));
  const std::string answer = other->hear();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("urn:strongroom:problem:overloaded"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(busy->hear(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, DrainEndsIdleAndFinishesBusyConnections) {
  start();
  const auto idle = connect();
  idle->say(get("/echo"));
  idle->hear();
  const auto busy = connect();
  busy->say(get("/slow"));
  while (handling_ == 0) std::this_thread::sleep_for(1ms);
  auto drained = server_->drain(5s);
  EXPECT_TRUE(idle->is_closed());
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
  const std::string answer = busy->hear_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  drained.wait();
  EXPECT_FALSE(internal::connect_error(RawConnection(server_->port(), nullptr).fd()) == 0 &&
               server_->connections() > 0);
}

TEST_F(ServerTest, DrainCutsWhatOutlastsPatience) {
  limits_.body_timeout = 10s;
  start();
  const auto stuck = connect();
  stuck->say("POST /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 10\r\n\r\nabc");
  while (server_->connections() == 0) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  auto drained = server_->drain(100ms);
  EXPECT_EQ(drained.wait_for(2s), std::future_status::ready);
  EXPECT_TRUE(stuck->is_closed());
}

TEST_F(ServerTest, SetTlsServesTheNewCertificate) {
  start();
  const auto before = connect();
  server_->on_loop([this](Server& server) {
    server.set_tls(authority_.server("other"));
    return 0;
  });
  RawConnection after(server_->port(), edged_, "vaultd");
  EXPECT_EQ(after.handshake(), IoStatus::refused);
  RawConnection renamed(server_->port(), edged_, "other");
  EXPECT_EQ(renamed.handshake(), IoStatus::done);
  before->say(get("/echo"));
  EXPECT_THAT(before->hear(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, RefusesPeersWithoutTheRightCertificate) {
  start();
  Authority stranger;
  auto other_ca = TlsContext::client({.certificate_pem = stranger.options("edged").certificate_pem,
                                      .key_pem = stranger.options("edged").key_pem,
                                      .ca_pem = authority_.ca_pem(),
                                      .trust_domain = "test"});
  // A key of one certificate with another: made to fail here, not in the handshake.
  EXPECT_FALSE(other_ca.has_value());
  TlsOptions options = stranger.options("edged");
  options.ca_pem = authority_.ca_pem();
  const auto of_stranger = TlsContext::client(options);
  ASSERT_TRUE(of_stranger.has_value());
  for (const auto& tls : {*of_stranger, authority_.anonymous_client(),
                          authority_.client_with_uri("spiffe://elsewhere/edged"),
                          authority_.client_with_uri("spiffe://test/edged/deeper")}) {
    RawConnection connection(server_->port(), tls);
    // The client's part of a TLS 1.3 handshake ends before the server has looked at its
    // certificate.
    if (connection.handshake() == IoStatus::done) connection.say(get("/echo"));
    EXPECT_EQ(connection.hear_all(), "");
  }
  EXPECT_EQ(server_->counters().handshakes_failed, 4u);
  EXPECT_EQ(server_->counters().requests, 0u);
}

TEST_F(ServerTest, RefusesTheRightCaWithTheWrongIdentity) {
  start();
  RawConnection gatewayd(server_->port(), authority_.client("gatewayd"));
  ASSERT_EQ(gatewayd.handshake(), IoStatus::done);
  gatewayd.say(get("/echo"));
  const std::string answer = gatewayd.hear();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, HasSubstr("urn:strongroom:problem:not-allowed"));
}

TEST_F(ServerTest, LeavesNothingInTheSecretArena) {
  start();
  const std::size_t base = secret_memory_used_bytes();
  {
    const auto connection = connect();
    const auto idle = connect();
    connection->say(post("/echo", "4242424242424242"));
    connection->hear();
    connection->say(post("/echo", std::string(9'000, '4')));
    connection->hear();
    // The connections are open and idle, and hold nothing.
    for (int i = 0; i < 100 && secret_memory_used_bytes() > base; ++i) {
      std::this_thread::sleep_for(5ms);
    }
    EXPECT_EQ(secret_memory_used_bytes(), base);
    EXPECT_EQ(server_->connections(), 2u);
    last_answer("POST /echo HTTP/1.1\r\nHost: v\r\nContent-Length: 9000\r\n\r\n4242");
    last_answer(post("/echo", "0\r\n\r\n", "Transfer-Encoding: chunked\r\n"));
  }
  server_->stop();
  EXPECT_EQ(secret_memory_used_bytes(), base);
}

TEST_F(ServerTest, SharesAPortBetweenLoops) {
  start();
  async::Loop loop;
  Router router;
  const auto second = Server::listen_tcp(loop, {.address = "127.0.0.1", .port = server_->port()},
                                         authority_.server("vaultd"), router, limits_);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ((*second)->port(), server_->port());
}

TEST_F(ServerTest, ListenTellsABadAddress) {
  async::Loop loop;
  Router router;
  const auto tls = authority_.server("vaultd");
  const auto not_ip = Server::listen_tcp(loop, {.address = "example", .port = 0}, tls, router, {});
  ASSERT_FALSE(not_ip.has_value());
  EXPECT_EQ(not_ip.error().code(), ErrorCode::invalid_argument);
  const auto foreign =
      Server::listen_tcp(loop, {.address = "192.0.2.1", .port = 0}, tls, router, {});
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(foreign.error().detail(), static_cast<std::uint32_t>(EADDRNOTAVAIL));
  EXPECT_FALSE(Server::listen_tcp(loop, {.address = "127.0.0.1"}, nullptr, router, {}).has_value());
}

// Admin sockets.
Result<std::unique_ptr<Server>> serve_unix(async::Loop& loop, const std::string& path,
                                           std::vector<uid_t> allowed, Router& router) {
  SR_TRY(UnixListener listener, UnixListener::open(path));
  return Server::serve_unix(loop, std::move(listener), std::move(allowed), router, {});
}

class UnixServerTest : public ::testing::Test {
 protected:
  UnixServerTest() {
    router_.add(
        {.method = Method::get, .pattern = "/healthz", .identities = {kLocal}, .handler = &echo});
    router_.add(
        {.method = Method::get, .pattern = "/service", .identities = {"edged"}, .handler = &echo});
  }
  ~UnixServerTest() override { std::filesystem::remove(path_); }
  ServerThread::Listen listen(std::vector<uid_t> allowed) {
    return [this, allowed](async::Loop& loop, Router& router) {
      return serve_unix(loop, path_, allowed, router);
    };
  }
  std::string path_ = ::testing::TempDir() + "sr_http_" + std::to_string(::getpid()) + ".sock";
  Router router_;
};

TEST_F(UnixServerTest, ServesAllowedUsers) {
  ServerThread server(router_, listen({::geteuid()}));
  RawConnection connection(path_);
  connection.say(get("/healthz") + get("/service"));
  EXPECT_THAT(connection.hear(), HasSubstr("Source: unix\r\n"));
  EXPECT_THAT(connection.hear(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0660));
}

TEST_F(UnixServerTest, TurnsOtherUsersAway) {
  ServerThread server(router_, listen({::geteuid() + 1}));
  RawConnection connection(path_);
  connection.say(get("/healthz"));
  EXPECT_EQ(connection.hear_all(), "");
  EXPECT_EQ(server.counters().connections_refused, 1u);
}

TEST_F(UnixServerTest, ReplacesADeadSocketOnly) {
  {
    // Killed: the file stays.
    const auto dead = internal::listen_unix(path_);
    ASSERT_TRUE(dead.has_value());
    const auto second = UnixListener::open(path_);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(UnixListener::open(path_).has_value());
  const auto long_path = UnixListener::open(std::string(200, 'p'));
  ASSERT_FALSE(long_path.has_value());
  EXPECT_EQ(long_path.error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace strongroom::http

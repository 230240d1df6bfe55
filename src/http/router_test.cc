#include "http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "async/loop.h"
#include "crypto/random.h"
#include "http/head.h"

namespace strongroom::http {
namespace {

using ::testing::HasSubstr;
using wire::ProblemType;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now_s * 1'000'000; }
  std::int64_t now_s = 1'800'000'000;
};

async::Task<Response> tell(Request& request) {
  std::string body(request.path());
  if (request.ticket() != nullptr) body.append(" ").append(request.ticket()->merchant);
  co_return json_response(200, std::move(body));
}
async::Task<Response> tell_first(Request& request) {
  co_return json_response(200, std::string(request.parameter(0)));
}
async::Task<Response> tell_both(Request& request) {
  co_return json_response(
      200, std::string(request.parameter(0)) + " " + std::string(request.parameter(1)));
}

class RouterTest : public ::testing::Test {
 protected:
  Response ask(Method method, std::string_view path) {
    Head head;
    head.method = method;
    head.path = path;
    if (!ticket_.empty()) head.fields.push_back({"Strongroom-Ticket", ticket_});
    Request request(head, {}, peer_, "id");
    return loop_.run_until_done(router_.dispatch(request));
  }
  int status(Method method, std::string_view path) { return ask(method, path).status; }

  async::Loop loop_;
  Router router_;
  Peer peer_{.identity = "edged"};
  std::string ticket_;
};

TEST_F(RouterTest, FindsTheRouteAndItsParts) {
  router_.add({.method = Method::get,
               .pattern = "/v1/cards/{token}",
               .identities = {"edged"},
               .handler = &tell_first});
  router_.add({.method = Method::post,
               .pattern = "/v1/cards/{token}/uses/{use}",
               .identities = {"edged"},
               .handler = &tell_both});
  router_.add({.method = Method::get,
               .pattern = "/v1/tokens*",
               .identities = {"edged"},
               .handler = &tell_first});
  EXPECT_EQ(ask(Method::get, "/v1/cards/tok_a").body, "tok_a");
  EXPECT_EQ(ask(Method::post, "/v1/cards/tok_a/uses/7").body, "tok_a 7");
  EXPECT_EQ(ask(Method::get, "/v1/tokens").body, "");
  EXPECT_EQ(ask(Method::get, "/v1/tokens/").body, "/");
  EXPECT_EQ(ask(Method::get, "/v1/tokens/tok_a/x").body, "/tok_a/x");
  EXPECT_EQ(status(Method::head, "/v1/cards/tok_a"), 200);
}

TEST_F(RouterTest, UnknownPathsAreNotFound) {
  router_.add({.method = Method::get,
               .pattern = "/v1/cards/{token}",
               .identities = {"edged"},
               .handler = &tell});
  router_.add(
      {.method = Method::get, .pattern = "/v1/tokens*", .identities = {"edged"}, .handler = &tell});
  for (const std::string_view path :
       {"/", "/v1", "/v1/cards", "/v1/cards/", "/v1/cards/a/", "/v1/cards/a/b", "/v1/tokensx",
        "/v2/tokens", "/V1/tokens", "/v1/cards%2fa"}) {
    EXPECT_EQ(status(Method::get, path), 404) << path;
  }
}

TEST_F(RouterTest, WrongMethodTellsTheRightOnes) {
  router_.add({.method = Method::get, .pattern = "/a", .identities = {"edged"}, .handler = &tell});
  router_.add(
      {.method = Method::delete_, .pattern = "/a", .identities = {"edged"}, .handler = &tell});
  const Response response = ask(Method::put, "/a");
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].second, "GET, HEAD, DELETE");
}

TEST_F(RouterTest, ServesTheListedIdentitiesOnly) {
  router_.add({.method = Method::get, .pattern = "/nobody", .handler = &tell});
  router_.add({.method = Method::get,
               .pattern = "/edged",
               .identities = {"edged", "loadgen"},
               .handler = &tell});
  router_.add(
      {.method = Method::get, .pattern = "/public", .identities = {kAnyone}, .handler = &tell});
  router_.add(
      {.method = Method::get, .pattern = "/local", .identities = {kLocal}, .handler = &tell});
  struct Row {
    Peer peer;
    std::string_view path;
    int status;
  };
  for (const Row& row : std::to_array<Row>({
           {{.identity = "edged"}, "/nobody", 403},
           {{}, "/nobody", 403},
           {{.identity = "edged"}, "/edged", 200},
           {{.identity = "loadgen"}, "/edged", 200},
           {{.identity = "edge"}, "/edged", 403},
           {{.identity = "edged2"}, "/edged", 403},
           {{}, "/edged", 403},
           {{.uid = 0}, "/edged", 403},
           {{}, "/public", 200},
           {{.identity = "edged"}, "/local", 403},
           {{.identity = "@local"}, "/edged", 403},
           {{.uid = 1000}, "/local", 200},
       })) {
    peer_ = row.peer;
    EXPECT_EQ(status(Method::get, row.path), row.status) << row.peer.identity << row.path;
  }
}

TEST_F(RouterTest, AuditsADenialBeforeItIsAnswered) {
  router_.add(
      {.method = Method::get, .pattern = "/a", .identities = {"gatewayd"}, .handler = &tell});
  bool log_works = true;
  int denials = 0;
  router_.on_denied([&](const Request& request, const wire::Problem& problem) {
    return
        [](const Request& r, const wire::Problem& p, int& count, bool& works) -> async::Task<bool> {
          EXPECT_EQ(r.peer().identity, "edged");
          EXPECT_EQ(p.type, ProblemType::not_allowed);
          ++count;
          co_return works;
        }(request, problem, denials, log_works);
  });
  EXPECT_EQ(status(Method::get, "/a"), 403);
  EXPECT_EQ(denials, 1);
  EXPECT_EQ(status(Method::get, "/b"), 404);
  EXPECT_EQ(status(Method::put, "/a"), 405);
  EXPECT_EQ(denials, 1);
  log_works = false;
  const Response response = ask(Method::get, "/a");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("audit-unavailable"));
}

TEST_F(RouterTest, AsksForAValidTicket) {
  const FixedClock clock;
  crypto::SystemRandom random;
  auto seed = crypto::random_secret(random, 32);
  const auto signer = TicketSigner::create(*std::move(seed), "k1");
  const auto verifier = TicketVerifier::create(signer->public_key_line(), clock);
  ASSERT_TRUE(signer && verifier);
  router_.set_ticket_verifier(*verifier);
  router_.add({.method = Method::get,
               .pattern = "/a",
               .identities = {"edged"},
               .ticket = true,
               .handler = &tell});
  int denials = 0;
  router_.on_denied([&](const Request&, const wire::Problem&) {
    return [](int& count) -> async::Task<bool> {
      ++count;
      co_return true;
    }(denials);
  });
  EXPECT_EQ(status(Method::get, "/a"), 403);
  ticket_ = "not.a.ticket";
  EXPECT_EQ(status(Method::get, "/a"), 403);
  EXPECT_EQ(denials, 2);
  const auto ticket = signer->sign({.subject = "key_1",
                                    .merchant = "mer_1",
                                    .role = "merchant",
                                    .issued_at_s = clock.now_s,
                                    .expires_at_s = clock.now_s + 60});
  ASSERT_TRUE(ticket.has_value());
  ticket_ = *ticket;
  EXPECT_EQ(ask(Method::get, "/a").body, "/a mer_1");
  peer_.identity = "gatewayd";  // a good ticket opens no other door
  EXPECT_EQ(status(Method::get, "/a"), 403);
}

TEST_F(RouterTest, TakesALateTicketOnlyWhereTheRouteDoes) {
  FixedClock clock;
  crypto::SystemRandom random;
  auto seed = crypto::random_secret(random, 32);
  const auto signer = TicketSigner::create(*std::move(seed), "k1");
  const auto verifier = TicketVerifier::create(signer->public_key_line(), clock);
  ASSERT_TRUE(signer && verifier);
  router_.set_ticket_verifier(*verifier);
  for (const auto& [pattern, late_max] :
       {std::pair("/now", std::chrono::seconds{0}), std::pair("/late", std::chrono::seconds{10})}) {
    router_.add({.method = Method::get,
                 .pattern = pattern,
                 .identities = {"edged"},
                 .ticket = true,
                 .ticket_late_max = late_max,
                 .handler = &tell});
  }
  const Ticket ticket{.subject = "key_1",
                      .merchant = "mer_1",
                      .role = "merchant",
                      .issued_at_s = clock.now_s,
                      .expires_at_s = clock.now_s + 60};
  ticket_ = *signer->sign(ticket);
  EXPECT_FALSE(ticket.has_ended(clock.now_us()));
  clock.now_s += 60;
  EXPECT_TRUE(ticket.has_ended(clock.now_us()));
  EXPECT_EQ(status(Method::get, "/now"), 403);
  EXPECT_EQ(status(Method::get, "/late"), 200);
  clock.now_s += 10;
  EXPECT_EQ(status(Method::get, "/late"), 403);
}

TEST_F(RouterTest, BodyBytesMaxIsTheRoutesOrTheDefault) {
  router_.add({.method = Method::post,
               .pattern = "/a/{b}",
               .identities = {"edged"},
               .body_bytes_max = 7,
               .handler = &tell});
  Head head;
  head.method = Method::post;
  head.path = "/a/x";
  EXPECT_EQ(router_.body_bytes_max(head), 7u);
  head.path = "/other";
  EXPECT_EQ(router_.body_bytes_max(head), kBodyBytesMax);
}

TEST_F(RouterTest, AddRefusesUnsoundRoutes) {
  for (const std::string_view pattern :
       {"", "a", "/{a", "/a{b}", "/{a}b", "/a*b", "/*/a", "/{a}/{b}/{c}/{d}/{e}"}) {
    EXPECT_DEATH(router_.add({.pattern = pattern, .handler = &tell}), "check failed") << pattern;
  }
  EXPECT_DEATH(router_.add({.pattern = "/a", .identities = {""}, .handler = &tell}), "failed");
  EXPECT_DEATH(
      router_.add({.pattern = "/a", .body_bytes_max = SecretBytes::kSizeMax + 1, .handler = &tell}),
      "check failed");
  router_.add({.pattern = "/a", .handler = &tell});
  EXPECT_DEATH(router_.add({.pattern = "/a", .handler = &tell}), "check failed");
}

}  // namespace
}  // namespace strongroom::http

// Workers against stand-ins of authd and vaultd, over real sockets with mutual TLS.
#include "loadgen/worker.h"

#include <gtest/gtest.h>

#include <list>
#include <set>

#include "base/encoding.h"
#include "http/testing/authority.h"
#include "http/testing/server_thread.h"
#include "loadgen/load_run.h"
#include "wire/processor_token.h"

namespace strongroom::bench {
namespace {

using namespace std::chrono_literals;
using http::Method;
using http::Request;
using http::Response;
using http::testing::ServerThread;

// Stands in for authd, vaultd and edged: one server each, as their identities differ.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    for (const char* identity : {"authd", "vaultd", "edged"}) {
      add_routes(routers_.emplace_back());
      servers_.push_back(std::make_unique<ServerThread>(
          routers_.back(), [this, identity](async::Loop& loop, http::Router& router) {
            return http::Server::listen_tcp(loop, {.address = "127.0.0.1", .port = 0},
                                            server_tls(identity), router, {});
          }));
    }
    deployment_ = {.edge = {"127.0.0.1", servers_[2]->port()},
                   .vault = {"127.0.0.1", servers_[1]->port()},
                   .authd = {"127.0.0.1", servers_[0]->port()},
                   .processor = {"127.0.0.1", servers_[2]->port()},
                   .tls = authority_.client("loadgen"),
                   .public_tls = *http::TlsContext::client_of_hosts(authority_.ca_pem()),
                   .gateway_tls = authority_.client("gatewayd"),
                   .authorization = "Bearer sk_test"};
    plan_.connections = 4;
    plan_.warmup = 20ms;
    plan_.duration = 200ms;
    plan_.pool = 3;
  }
  LoadResult run() {
    const LoadEvents events{.on_begin = [this] { ++begun_; }, .on_end = [this] { ++ended_; }};
    auto result = run_load(deployment_, plan_, events);
    EXPECT_TRUE(result.has_value());
    EXPECT_EQ(begun_, 1);
    EXPECT_EQ(ended_, 1);
    return result ? *std::move(result) : LoadResult{};
  }

  http::testing::Authority authority_;
  std::list<http::Router> routers_;  // stay where they are
  Deployment deployment_;
  LoadPlan plan_;
  int ticket_status_ = 200;
  int card_status_ = 201;
  bool retry_after_ = false;
  std::set<std::string> bodies_;  // of vaultd, whose requests all run on one thread
  std::set<std::string> looked_up_;
  std::string paid_ = "captured";    // what a payment comes to
  std::multiset<std::string> keys_;  // of payments, which all run on one thread
  std::set<std::string> paid_bodies_;
  std::uint64_t resolves_ = 0;
  std::set<std::string> payments_;
  std::set<std::string> at_accounts_;
  bool keeps_ = true;
  std::string credential_;
  std::uint64_t taken_ = 0;
  int begun_ = 0;
  int ended_ = 0;
  // Last, so that they end first: their threads use what stands above.
  std::vector<std::unique_ptr<ServerThread>> servers_;

 private:
  // edged asks clients for no certificate.
  std::shared_ptr<const http::TlsContext> server_tls(const std::string& identity) {
    http::TlsOptions options = authority_.options(identity);
    if (identity == "edged") options.ca_pem.clear();
    return *http::TlsContext::server(options);
  }
  void add_routes(http::Router& router) {
    const auto add = [&router](Method method, std::string_view pattern, http::Handler handler) {
      router.add({.method = method,
                  .pattern = pattern,
                  .identities = {"loadgen", http::kAnyone},
                  .handler = std::move(handler)});
    };
    add(Method::post, "/v1/tickets", [this](Request& request) { return ticket(request); });
    add(Method::post, "/v1/cards", [this](Request& request) { return take_card(request); });
    add(Method::get, "/v1/cards/{token}", [this](Request& request) { return look_up(request); });
    router.add({.method = Method::post,
                .pattern = "/v1/cards/{token}/processor-tokens",
                .identities = {"gatewayd"},
                .handler = [this](Request& request) { return resolve(request); }});
    add(Method::post, "/v1/tokens", [this](Request& request) { return take_card(request); });
    add(Method::post, "/v1/payments", [this](Request& request) { return pay(request); });
    add(Method::post, "/v1/payment_intents", [this](Request& request) { return pay(request); });
    for (const char* made : {"/v1/customers", "/v1/payment_methods"}) {
      add(Method::post, made, [this](Request& request) { return take_card(request); });
    }
    add(Method::post, "/v1/payment_methods/{id}/attach",
        [this](Request& request) { return take_card(request); });
  }
  async::Task<Response> ticket(Request& request) {
    const bool known = request.header("authorization") == "Bearer sk_test";
    co_return Response{.status = known ? ticket_status_ : 401, .body = "the.ticket"};
  }
  async::Task<Response> take_card(Request& request) {
    credential_ = std::string(request.header("strongroom-ticket"));
    credential_ += std::string(request.header("authorization"));
    bodies_.emplace(as_text(request.body()));
    Response response =
        http::json_response(card_status_, R"({"id":"tok_)" + std::to_string(++taken_) + R"("})");
    if (retry_after_) response.headers.emplace_back("Retry-After", "1");
    co_return response;
  }
  async::Task<Response> pay(Request& request) {
    keys_.emplace(request.header("idempotency-key"));
    paid_bodies_.emplace(as_text(request.body()));
    co_return http::json_response(201, R"({"status":")" + paid_ + R"("})");
  }
  // As vaultd: a card is handed over once for each account.
  async::Task<Response> resolve(Request& request) {
    const auto asked = wire::parse_processor_token_request(as_text(request.body()));
    if (!asked) co_return Response{.status = 422};
    ++resolves_;
    payments_.emplace(asked->payment);
    credential_ = std::string(request.header("strongroom-ticket"));
    const std::string place = std::string(request.parameter(0)) + asked->head.account_id;
    const bool created = !keeps_ || at_accounts_.insert(place).second;
    co_return http::json_response(200, created ? R"({"created":true})" : R"({"created":false})");
  }
  async::Task<Response> look_up(Request& request) {
    looked_up_.emplace(request.parameter(0));
    co_return http::json_response(200, "{}");
  }
};

TEST_F(WorkerTest, ClosedModelSendsEachCardOnceWithTheTicket) {
  const LoadResult result = run();
  EXPECT_GT(result.tally.requests(), 20U);
  EXPECT_EQ(result.tally.errors(), 0U);
  EXPECT_EQ(bodies_.size(), taken_);
  EXPECT_EQ(result.next_card, taken_);
  EXPECT_EQ(credential_, "the.ticket");
  EXPECT_EQ(result.tally.latencies.count(), result.tally.statuses.at(201));
  EXPECT_GT(result.own_cpu.count(), 0);
}

TEST_F(WorkerTest, ThreadsShareTheSequenceWithoutRepeats) {
  plan_.threads = 2;
  plan_.first_card = 1000;
  const LoadResult result = run();
  EXPECT_EQ(bodies_.size(), taken_);
  EXPECT_GE(result.next_card, 1000 + taken_);
}

TEST_F(WorkerTest, OpenModelKeepsItsRate) {
  plan_.rate = 500;
  plan_.threads = 2;
  EXPECT_EQ(run().tally.requests(), 100U);
}

TEST_F(WorkerTest, EdgeGetsTheApiKeyAndNoTicket) {
  plan_.target = Target::edge;
  EXPECT_EQ(run().tally.errors(), 0U);
  EXPECT_EQ(credential_, "Bearer sk_test");
}

TEST_F(WorkerTest, DuplicatesComeFromThePool) {
  plan_.mix = Mix::duplicates;
  const LoadResult result = run();
  EXPECT_EQ(bodies_.size(), 3U);
  EXPECT_EQ(result.next_card, 3U);
}

TEST_F(WorkerTest, LookupsAskForTokensOfThePool) {
  plan_.mix = Mix::lookups;
  EXPECT_EQ(run().tally.errors(), 0U);
  EXPECT_EQ(looked_up_, (std::set<std::string>{"tok_1", "tok_2", "tok_3"}));
}

TEST_F(WorkerTest, SalesPayWithThePoolsTokensUnderKeysOfTheirOwn) {
  plan_.target = Target::edge;
  plan_.mix = Mix::sales;
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), 0U);
  EXPECT_EQ(paid_bodies_.size(), 3U);
  EXPECT_GT(keys_.size(), 20U);
  EXPECT_EQ(std::set<std::string>(keys_.begin(), keys_.end()).size(), keys_.size());
}

TEST_F(WorkerTest, ASaleThatIsNotCapturedIsAFailure) {
  plan_.target = Target::edge;
  plan_.mix = Mix::sales;
  paid_ = "unknown";
  const auto refused = run_load(deployment_, plan_, {.on_begin = [] {}, .on_end = [] {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::permission_denied);
  plan_.target = Target::processor;  // whose sales do not begin with one that must succeed
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), result.tally.failures.at(ErrorCode::unknown_outcome));
}

TEST_F(WorkerTest, TheProcessorIsPaidByItsOwnCards) {
  plan_.target = Target::processor;
  plan_.mix = Mix::sales;
  paid_ = "succeeded";
  EXPECT_EQ(run().tally.errors(), 0U);
  EXPECT_EQ(paid_bodies_.size(), 3U);
  EXPECT_TRUE(credential_.starts_with("Bearer sk_test_"));
}

TEST_F(WorkerTest, ResolvesAreOfKeptProcessorTokensAsGatewaydWithTheTicket) {
  plan_.mix = Mix::resolves;
  const LoadResult result = run();
  EXPECT_GT(result.tally.requests(), 20U);
  EXPECT_EQ(result.tally.errors(), 0U);
  EXPECT_EQ(at_accounts_.size(), 3U);  // the pool's, each once
  EXPECT_EQ(payments_.size(), resolves_);
  EXPECT_EQ(credential_, "the.ticket");
}

TEST_F(WorkerTest, HandoversAreEachAtAnAccountOfItsOwn) {
  plan_.mix = Mix::handovers;
  EXPECT_EQ(run().tally.errors(), 0U);
  EXPECT_EQ(at_accounts_.size(), resolves_);
}

TEST_F(WorkerTest, ACardThatIsHandedOverAgainIsAFailure) {
  plan_.mix = Mix::resolves;
  keeps_ = false;
  const LoadResult result = run();
  EXPECT_GT(result.tally.errors(), 0U);
  EXPECT_EQ(result.tally.errors(), result.tally.failures.at(ErrorCode::unknown_outcome));
}

TEST_F(WorkerTest, TheMixHasFourResolvesToANewCard) {
  plan_.mix = Mix::payments_and_cards;
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), 0U);
  const auto cards = static_cast<double>(taken_ - plan_.pool);
  EXPECT_NEAR(static_cast<double>(resolves_ - plan_.pool) / cards, 4, 1);
}

TEST_F(WorkerTest, RefusalThatSaysNotWhenToComeBackIsAFailure) {
  card_status_ = 503;
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), result.tally.failures.at(ErrorCode::corrupt));
}

TEST_F(WorkerTest, RefusalsAreCountedNotMeasured) {
  card_status_ = 503;
  retry_after_ = true;
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), result.tally.statuses.at(503));
  EXPECT_EQ(result.tally.latencies.count(), 0U);
}

TEST_F(WorkerTest, LostServerIsCounted) {
  servers_[1]->stop();
  const LoadResult result = run();
  EXPECT_EQ(result.tally.errors(), result.tally.failures.at(ErrorCode::unavailable));
}

TEST_F(WorkerTest, NoTicketIsAnError) {
  ticket_status_ = 401;
  const auto result = run_load(deployment_, plan_, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(result.error().detail(), 401U);
}

TEST_F(WorkerTest, RefusedPoolIsAnError) {
  card_status_ = 422;
  plan_.mix = Mix::lookups;
  const auto result = run_load(deployment_, plan_, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().detail(), 422U);
}

}  // namespace
}  // namespace strongroom::bench

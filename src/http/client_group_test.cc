#include "http/client_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/rendezvous.h"
#include "http/router.h"
#include "http/server.h"
#include "support/temporary_directory.h"

namespace strongroom::http {
namespace {

using namespace std::chrono_literals;

// Two instances, "a" and "b", and a key of which "a" is asked first. Each answers with its status
// of the test's, once it is let go.
class ClientGroupTest : public ::testing::Test {
 protected:
  struct Instance {
    Router router;
    std::unique_ptr<Server> server;
    int status = 200;
    bool held = false;
    int asked = 0;
  };

  ClientGroupTest() {
    while (rendezvous_order({"a", "b"}, key_).front() != "a") key_ += 'k';
    for (const std::string name : {"a", "b"}) {
      Instance& instance = instances_[name];
      instance.router.add({.method = Method::post,
                           .pattern = "/",
                           .identities = {kLocal},
                           .handler = [this, &instance](Request&) { return answer(instance); }});
      start(name);
      options_[name] = {.unix_path = path(name),
                        .unix_users = {::geteuid()},
                        .connections_max = 1,
                        .turn_timeout = 100ms,
                        .response_timeout = 5s};
    }
  }
  ~ClientGroupTest() override {
    for (auto& [name, instance] : instances_) instance.held = false;
    if (group_) wait(group_->close());
    for (const char* name : {"a", "b"}) stop(name);
  }

  std::string path(const std::string& name) { return (folder_.path() / name).string(); }
  void start(const std::string& name) {
    auto listener = UnixListener::open(path(name));
    SR_CHECK(listener.has_value());
    Instance& instance = instances_[name];
    instance.server =
        Server::serve_unix(loop_, *std::move(listener), {::geteuid()}, instance.router, {});
  }
  void stop(const std::string& name) {
    if (auto server = std::exchange(instances_[name].server, nullptr)) wait(server->drain(100ms));
  }
  async::Task<Response> answer(Instance& instance) {
    ++instance.asked;
    while (instance.held) co_await loop_.sleep_for(1ms);
    co_return json_response(instance.status, "{}");
  }
  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  ClientGroup& group() {
    if (!group_) {
      ClientGroup::Members members;
      for (const auto& [name, options] : options_) {
        members.emplace(name, std::make_unique<Client>(loop_, options));
      }
      group_ = std::make_unique<ClientGroup>(std::move(members));
    }
    return *group_;
  }
  Result<ClientResponse> send() { return wait(group().send(key_, request_)); }
  // Takes the one place of "a", until it is let go.
  void hold_a() {
    instances_["a"].held = true;
    auto keep = [](ClientGroupTest& test) -> async::Task<> {
      test.kept_.emplace(co_await test.group().send(test.key_, test.request_));
    };
    async::spawn(keep(*this));
    run_until([this] { return instances_["a"].asked == 1; });
  }
  void let_a_go() {
    instances_["a"].held = false;
    run_until([this] { return kept_.has_value(); });
  }
  template <class Done>
  void run_until(const Done& done) {
    auto wait_for = [](async::Loop& loop, const Done& over) -> async::Task<> {
      while (!over()) co_await loop.sleep_for(1ms);
    };
    wait(wait_for(loop_, done));
  }
  void expect_asked(int a, int b) {
    EXPECT_EQ(instances_["a"].asked, a);
    EXPECT_EQ(instances_["b"].asked, b);
  }
  static void expect_error(const Result<ClientResponse>& result, ErrorCode code) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), code) << result.error().what();
  }

  test::TemporaryDirectory folder_;
  async::Loop loop_;
  std::map<std::string, Instance> instances_;
  std::map<std::string, ClientOptions> options_;
  std::string key_ = "key";
  ClientRequest request_{.method = Method::post, .target = "/"};
  std::optional<Result<ClientResponse>> kept_;
  std::unique_ptr<ClientGroup> group_;
};

TEST_F(ClientGroupTest, TheFirstAnswerIsKeptWhateverItSays) {
  for (const int status : {200, 404, 503}) {
    instances_["a"].status = status;
    const auto answer = send();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, status);
  }
  expect_asked(3, 0);
}

TEST_F(ClientGroupTest, EachKeyHasOneThatIsAskedFirst) {
  std::string other = "key";
  while (rendezvous_order({"a", "b"}, other).front() != "b") other += 'k';
  ASSERT_TRUE(wait(group().send(other, request_)));
  expect_asked(0, 1);
}

TEST_F(ClientGroupTest, OneThatIsAwayIsAskedLastUntilItHasRested) {
  stop("a");
  ASSERT_TRUE(send());
  expect_asked(0, 1);
  start("a");
  const auto rested = std::chrono::steady_clock::now() + ClientGroup::kRest;
  ASSERT_TRUE(send());
  expect_asked(0, 2);
  wait(loop_.sleep_for(rested - std::chrono::steady_clock::now()));
  ASSERT_TRUE(send());
  expect_asked(1, 2);
}

TEST_F(ClientGroupTest, OneThatRestsIsAskedWhereTheOthersAreAway) {
  stop("a");
  ASSERT_TRUE(send());
  start("a");
  stop("b");
  ASSERT_TRUE(send());
  expect_asked(1, 1);
}

TEST_F(ClientGroupTest, WhereAllAreAwayNoneWasReached) {
  stop("a");
  stop("b");
  expect_error(send(), ErrorCode::unavailable);
  start("b");
  ASSERT_TRUE(send());
}

TEST_F(ClientGroupTest, OneWithoutAPlaceIsPassedOverAndDoesNotRest) {
  hold_a();
  ASSERT_TRUE(send());
  expect_asked(1, 1);
  let_a_go();
  EXPECT_TRUE(*kept_);
  ASSERT_TRUE(send());
  expect_asked(2, 1);
}

TEST_F(ClientGroupTest, WhereNoneHasAPlaceAllAreExhausted) {
  options_["b"].connections_max = 0;
  hold_a();
  expect_error(send(), ErrorCode::exhausted);
  expect_asked(1, 0);
}

TEST_F(ClientGroupTest, OneThatIsAwayBesideOneWithoutAPlaceMakesItUnavailable) {
  stop("b");
  hold_a();
  expect_error(send(), ErrorCode::unavailable);  // "a" said exhausted first
}

TEST_F(ClientGroupTest, OneWithoutAPlaceBesideOneThatIsAwayMakesItUnavailable) {
  stop("a");
  options_["b"].connections_max = 0;
  expect_error(send(), ErrorCode::unavailable);  // "b" said exhausted last
}

// The request went out: another that did it again might do it twice.
TEST_F(ClientGroupTest, AfterALostAnswerNobodyElseIsAsked) {
  options_["a"].response_timeout = 100ms;
  instances_["a"].held = true;
  expect_error(send(), ErrorCode::unknown_outcome);
  expect_asked(1, 0);
}

TEST_F(ClientGroupTest, AStrangerInAnInstancesPlaceIsAnError) {
  options_["a"].unix_users = {::geteuid() + 1};
  expect_error(send(), ErrorCode::permission_denied);
  expect_asked(0, 0);
}

TEST_F(ClientGroupTest, AGroupOfNobodyIsUnavailable) {
  ClientGroup nobody({});
  expect_error(wait(nobody.send(key_, request_)), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::http

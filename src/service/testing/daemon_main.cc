// A daemon that does nothing, for daemon_test.cc: it notes what the scaffold asks of it in
// DIR/events, one line each, and misbehaves as the environment says.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "base/try.h"
#include "service/daemon.h"

namespace strongroom::service {
namespace {

using namespace std::chrono_literals;

// NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets one meanwhile
const char* value_of(const char* name) { return std::getenv(name); }
bool is_set(const char* name) { return value_of(name) != nullptr; }

class TestWorker final : public Worker {
 public:
  TestWorker(async::Loop& loop, const std::string& folder, std::size_t index)
      : loop_(loop), folder_(folder), index_(index) {}

  async::Task<Result<void>> start() override {
    note("start " + std::to_string(index_));
    if (is_set("TEST_START_FAILS")) co_return fail({ErrorCode::conflict, "port in use"});
    while (is_set("TEST_NEVER_STARTS") && !stopping_) co_await loop_.sleep_for(5ms);
    co_return Result<void>{};
  }
  async::Task<void> drain() override {
    stopping_ = true;
    note("drain " + std::to_string(index_));
    while (is_set("TEST_NEVER_DRAINS")) co_await loop_.sleep_for(5ms);
  }
  bool reload(const Deployment& deployment) override {
    note("reload " + deployment.trust_domain);
    return !is_set("TEST_RELOAD_FAILS");
  }
  ~TestWorker() override { SR_CHECK(!is_set("TEST_NEVER_DRAINS")); }
  void readiness(Readiness& readiness) override { readiness.add("neighbor", true); }
  void add_admin_routes(http::Router& router) override {
    router.add({.method = http::Method::post,
                .pattern = "/v1/greetings",
                .identities = {http::kLocal},
                .handler = [](http::Request&) { return greet(); }});
  }

 private:
  static async::Task<http::Response> greet() {
    co_return http::json_response(200, R"({"greeting":"hello"})");
  }
  void note(const std::string& line) {
    std::ofstream(folder_ + "/events", std::ios::app) << line << "\n";
  }

  async::Loop& loop_;
  std::string folder_;
  std::size_t index_;
  bool stopping_ = false;
};

class TestService final : public Service {
 public:
  explicit TestService(Host& host) : host_(host) {}
  ~TestService() override {
    if (is_set("TEST_CLOSE_HANGS")) std::this_thread::sleep_for(1h);
    std::ofstream(host_.deployment.directory + "/closed") << "yes";
  }
  Result<sandbox::Enforced> enter_sandbox() override {
    return sandbox::Enforced{.landlock_abi = 0, .gaps = {"not entered in this test"}};
  }
  [[nodiscard]] std::size_t workers() const override {
    const char* set = value_of("TEST_WORKERS");
    return set != nullptr ? std::stoul(set) : 1;
  }
  Result<std::unique_ptr<Worker>> make_worker(async::Loop& loop, std::size_t index) override {
    return std::make_unique<TestWorker>(loop, host_.deployment.directory, index);
  }

 private:
  Host& host_;
};

Start<std::unique_ptr<Service>> open_service(Host& host) {
  if (is_set("TEST_OPEN_FAILS")) {
    return start_failure("HSM token", Error{ErrorCode::permission_denied, "PIN is wrong"});
  }
  return std::make_unique<TestService>(host);
}

Start<void> init_service(Host& host) {
  std::ofstream(host.deployment.directory + "/made") << "yes";
  return {};
}

}  // namespace
}  // namespace strongroom::service

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "vaultd",
                                          .purpose = "a test",
                                          .open = strongroom::service::open_service,
                                          .init = strongroom::service::init_service,
                                          .migrate = nullptr,
                                          .dump = nullptr,
                                          .load = nullptr},
                                         argc, argv);
}

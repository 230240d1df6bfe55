// A whole daemon in a child process: lock, order of start, admin socket, signals, exit status.

#include "service/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "http/client.h"
#include "service/testing/deployment.h"

namespace strongroom::service {
namespace {

using namespace std::chrono_literals;
using testing::TestDeployment;

class DaemonTest : public ::testing::Test {
 protected:
  ~DaemonTest() override {
    if (child_ > 0) ::kill(child_, SIGKILL);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }

  // The process of testing/daemon_main.cc with what is set in `environment_`.
  pid_t spawn_daemon(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"vaultd", "--config", folder_.config()};
    words.insert(words.end(), more.begin(), more.end());
    const pid_t child = ::fork();
    if (child != 0) return child;
    const int fd = ::open(folder_.path("stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::dup2(fd, STDERR_FILENO) < 0) ::_exit(99);
    for (const auto& [name, value] : environment_) ::setenv(name, value, 1);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(SR_TEST_DAEMON, argv.data());
    ::_exit(99);
  }
  void start() { child_ = spawn_daemon(); }
  static int exit_status(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int stop() {
    ::kill(child_, SIGTERM);
    const int status = exit_status(std::exchange(child_, 0));
    EXPECT_EQ(status, 0) << text_of("stderr");
    return status;
  }
  int run_to_end(const std::vector<std::string>& more = {}) {
    return exit_status(spawn_daemon(more));
  }

  std::string text_of(std::string_view name) const {
    std::ifstream file(folder_.path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  http::ClientResponse ask(http::Method method, std::string_view target) {
    auto response = http::send_once({.host = "localhost",
                                     .unix_path = folder_.path("run/vaultd.admin.sock"),
                                     .unix_users = {::geteuid()}},
                                    {.method = method, .target = target});
    return response ? *std::move(response) : http::ClientResponse{};
  }
  static bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  bool becomes_ready() {
    return eventually([&] { return ask(http::Method::get, "/readyz").status == 200; });
  }

  TestDeployment folder_;
  std::map<const char*, const char*> environment_;
  pid_t child_ = 0;
};

TEST_F(DaemonTest, ServesUntilSigtermAndDrains) {
  start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_EQ(ask(http::Method::get, "/healthz").status, 200);
  EXPECT_NE(ask(http::Method::get, "/readyz").body.find("not entered in this test"),
            std::string::npos);
  EXPECT_TRUE(ask(http::Method::get, "/metrics").header("content-type").starts_with("text/plain"));
  EXPECT_EQ(ask(http::Method::post, "/v1/greetings").body, R"({"greeting":"hello"})");
  EXPECT_EQ(ask(http::Method::get, "/v1/unknown").status, 404);
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(text_of("events"), "start 0\ndrain 0\n");
}

TEST_F(DaemonTest, StartsTheFirstWorkerAlone) {
  environment_["TEST_WORKERS"] = "3";
  start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_EQ(text_of("events"), "start 0\nstart 1\nstart 2\n");
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, IsAliveButNotReadyWhileAWorkerWaits) {
  environment_["TEST_NEVER_STARTS"] = "1";
  environment_["TEST_WORKERS"] = "2";
  start();
  ASSERT_TRUE(eventually([&] { return ask(http::Method::get, "/healthz").status == 200; }));
  const auto readiness = ask(http::Method::get, "/readyz");
  EXPECT_EQ(readiness.status, 503);
  EXPECT_NE(readiness.body.find(R"("detail":"starting")"), std::string::npos);
  EXPECT_EQ(text_of("events"), "start 0\n");
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, SighupReloadsEveryWorker) {
  start();
  ASSERT_TRUE(becomes_ready());
  folder_.write("etc/strongroom.toml",
                "[deployment]\nprofile = \"demo\"\ntrust_domain = \"renewed\"\n[tls]\n"
                "ca = \"ca.crt\"\n[tickets]\npublic_keys = \"tickets.pub\"\n");
  ::kill(child_, SIGHUP);
  EXPECT_TRUE(
      eventually([&] { return text_of("events").find("reload renewed") != std::string::npos; }));
  folder_.write("etc/strongroom.toml", "[deployment\n");
  ::kill(child_, SIGHUP);
  EXPECT_TRUE(eventually(
      [&] { return text_of("stderr").find("configuration refused") != std::string::npos; }));
  const auto readiness = ask(http::Method::get, "/readyz");
  EXPECT_EQ(readiness.status, 200);
  EXPECT_NE(readiness.body.find("not all was taken over"), std::string::npos);
  EXPECT_TRUE(eventually([&] {  // certificates are read again nevertheless, where they were
    const std::string events = text_of("events");
    return events.find("reload renewed") != events.rfind("reload renewed");
  }));
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, ReadinessSaysWhatAWorkerDidNotTakeOver) {
  environment_["TEST_RELOAD_FAILS"] = "1";
  start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_NE(ask(http::Method::get, "/readyz").body.find(R"("warnings":[])"), std::string::npos);
  ::kill(child_, SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return ask(http::Method::get, "/readyz").body.find("not all was taken over") !=
           std::string::npos;
  }));
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, CutsOffAWorkerThatDoesNotDrain) {
  environment_["TEST_NEVER_DRAINS"] = "1";
  start();
  ASSERT_TRUE(becomes_ready());
  ::kill(child_, SIGTERM);
  EXPECT_EQ(exit_status(std::exchange(child_, 0)), kCutOff);
  EXPECT_NE(text_of("stderr").find("drain cut off"), std::string::npos);
  EXPECT_EQ(text_of("closed"), "yes") << "the HSM would still be logged in";
}

TEST_F(DaemonTest, WhatHangsAfterTheCutIsNotWaitedFor) {
  environment_["TEST_NEVER_DRAINS"] = "1";
  environment_["TEST_CLOSE_HANGS"] = "1";
  start();
  ASSERT_TRUE(becomes_ready());
  ::kill(child_, SIGTERM);
  EXPECT_EQ(exit_status(std::exchange(child_, 0)), kCutOff);
  EXPECT_EQ(text_of("closed"), "");
}

TEST_F(DaemonTest, ProductionServesWithSandboxGapsOnlyWhenToldSo) {
  const std::string rest = "[tls]\nca = \"ca.crt\"\n[tickets]\npublic_keys = \"tickets.pub\"\n";
  const std::string common = "[deployment]\nprofile = \"production\"\ntrust_domain = \"test\"\n";
  folder_.write("etc/strongroom.toml", common + rest);
  EXPECT_EQ(run_to_end(), 2);
  EXPECT_NE(text_of("stderr").find("not entered in this test"), std::string::npos);
  EXPECT_NE(text_of("stderr").find("accept_sandbox_gaps"), std::string::npos);
  folder_.write("etc/strongroom.toml", common + "accept_sandbox_gaps = true\n" + rest);
  start();
  EXPECT_TRUE(becomes_ready());
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, SecondProcessOfAnInstanceIsRefused) {
  start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_EQ(run_to_end(), 2);
  EXPECT_NE(text_of("stderr").find("already running"), std::string::npos);
  EXPECT_EQ(run_to_end({"--init"}), 2);
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, KilledInstanceStartsAgain) {
  start();
  ASSERT_TRUE(becomes_ready());
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  start();
  EXPECT_TRUE(becomes_ready());
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, BadStartsExitWithTwoAndTheReason) {
  environment_["TEST_OPEN_FAILS"] = "1";
  EXPECT_EQ(run_to_end(), 2);
  EXPECT_EQ(text_of("stderr"), "vaultd: HSM token: PIN is wrong\n");
  environment_ = {{"TEST_START_FAILS", "1"}};
  EXPECT_EQ(run_to_end(), 2);
  EXPECT_NE(text_of("stderr").find("vaultd: start: port in use\n"), std::string::npos);
  folder_.write("etc/strongroom.toml", "[deployment]\ncolor = 1\n");
  EXPECT_EQ(run_to_end(), 2);
  EXPECT_NE(text_of("stderr").find("vaultd: strongroom.toml:"), std::string::npos);
}

TEST_F(DaemonTest, InitRunsOnceAndEnds) {
  EXPECT_EQ(run_to_end({"--init"}), 0);
  EXPECT_EQ(text_of("made"), "yes");
  EXPECT_EQ(text_of("events"), "");
  EXPECT_EQ(run_to_end({"--migrate"}), 0);
}

TEST_F(DaemonTest, CheckSandboxSaysWhatWasNotDenied) {
  start();  // beside a running instance
  ASSERT_TRUE(becomes_ready());
  EXPECT_EQ(run_to_end({"--check-sandbox"}), 1);
  EXPECT_EQ(stop(), 0);
}

TEST_F(DaemonTest, HardenedProcessLeavesNoCoreAndNoReadableFiles) {
  start();
  ASSERT_TRUE(becomes_ready());
  const std::string limits = [&] {
    std::ifstream file("/proc/" + std::to_string(child_) + "/limits");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  EXPECT_NE(limits.find("Max core file size        0                    0"), std::string::npos);
  std::ifstream status_file("/proc/" + std::to_string(child_) + "/status");
  const std::string status(std::istreambuf_iterator<char>(status_file), {});
  EXPECT_NE(status.find("Umask:\t0077"), std::string::npos);
  EXPECT_EQ(stop(), 0);
}

}  // namespace
}  // namespace strongroom::service

// A Server on a thread of its own, for tests that talk to it with blocking calls.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "async/loop.h"
#include "http/server.h"

namespace strongroom::http::testing {

class ServerThread {
 public:
  using Listen = std::function<Result<std::unique_ptr<Server>>(async::Loop&, Router&)>;

  explicit ServerThread(Router& router, const Listen& listen) {
    auto made = listen(loop_, router);
    EXPECT_TRUE(made.has_value());
    if (made) server_ = *std::move(made);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServerThread() { stop(); }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] async::Loop& loop() { return loop_; }

  // Runs `work` on the server's thread and waits for its value.
  template <class Work>
  auto on_loop(Work work) {
    std::packaged_task<decltype(work(*server_))()> task([&] { return work(*server_); });
    auto value = task.get_future();
    loop_.post([&task] { task(); });
    return value.get();
  }
  [[nodiscard]] ServerCounters counters() {
    return on_loop([](Server& server) { return server.counters(); });
  }
  [[nodiscard]] std::size_t connections() {
    return on_loop([](Server& server) { return server.connections(); });
  }
  // Begins to drain; the future is ready when that has ended.
  [[nodiscard]] std::future<void> drain(std::chrono::milliseconds patience) {
    auto ended = std::make_shared<std::promise<void>>();
    loop_.post([this, ended, patience] { async::spawn(drain_task(*server_, ended, patience)); });
    return ended->get_future();
  }
  void stop() {
    if (!thread_.joinable()) return;
    drain(std::chrono::milliseconds(500)).wait();
    loop_.stop();
    thread_.join();
    server_.reset();
  }

 private:
  static async::Task<void> drain_task(Server& server, std::shared_ptr<std::promise<void>> ended,
                                      std::chrono::milliseconds patience) {
    co_await server.drain(patience);
    ended->set_value();
  }

  async::Loop loop_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace strongroom::http::testing

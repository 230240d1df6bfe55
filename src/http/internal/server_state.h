// What a Server and its connections share.
#pragma once

#include <coroutine>
#include <memory>
#include <unordered_set>
#include <vector>

#include "crypto/random.h"
#include "http/internal/connection.h"
#include "http/server.h"

namespace strongroom::http::internal {

class ServerState : public std::enable_shared_from_this<ServerState> {
 public:
  // `tls` is null for a Unix socket, whose peers are `allowed`.
  ServerState(async::Loop& loop, FileDescriptor listener, std::shared_ptr<const TlsContext> tls,
              std::vector<uid_t> allowed, Router& router, ServerLimits limits);

  void start_accepting();
  async::Task<void> drain(std::chrono::milliseconds patience);
  void shut() noexcept;

  void add(Connection& connection) { connections_.insert(&connection); }
  void remove(Connection& connection);
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  // For the connections.
  async::Loop& loop;
  Router& router;
  const ServerLimits limits;
  Deadlines deadlines;
  ServerCounters counters;
  crypto::SystemRandom random;
  SystemClock clock;
  std::size_t requests_in_flight = 0;

  std::shared_ptr<const TlsContext> tls;
  std::uint16_t port = 0;

 private:
  void accept_all();
  void admit(Accepted accepted);
  [[nodiscard]] bool make_room();
  void cut_all() noexcept;

  Socket listener_;
  std::vector<uid_t> allowed_;
  bool unix_ = false;
  bool draining_ = false;
  std::unordered_set<Connection*> connections_;
  Deadline accept_again_;  // out of descriptors: accepting again at once would spin
  Deadline patience_;
  std::coroutine_handle<> drained_;
};

}  // namespace strongroom::http::internal

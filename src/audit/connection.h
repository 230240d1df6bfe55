// Connection: a client's line to auditd, which comes back by itself. Messages go out in the order
// of exchange(), and answers come in that order.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <coroutine>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/local_socket.h"
#include "async/loop.h"
#include "audit/protocol.h"
#include "base/result.h"

namespace strongroom::audit {

struct ConnectionOptions {
  std::string socket_path;
  std::string instance;
  std::optional<uid_t> auditd_uid;
  std::chrono::milliseconds answer_timeout;
  std::chrono::milliseconds reconnect_first;
  std::chrono::milliseconds reconnect_max;
};

// Belongs to one Loop's thread.
class Connection {
 public:
  // Connects at once and stays at it. `on_ready` is called whenever auditd begins to take entries.
  Connection(async::Loop& loop, ConnectionOptions options,
             std::move_only_function<void()> on_ready);
  ~Connection();  // REQUIRES: close() has ended
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool connected() const noexcept { return connected_; }
  // Whether the journal takes entries, as far as auditd has told.
  [[nodiscard]] bool accepting() const noexcept { return connected_ && accepting_; }

  // Sends `message`, which outlives the call, and gives its answer: one message, or all of an
  // answer in parts. unavailable: not connected, or the connection broke before the answer.
  [[nodiscard]] async::Task<Result<std::vector<Message>>> exchange(const Message& message);
  // Breaks a connection whose other end does not keep to the protocol; what waits gets unavailable.
  void restart() noexcept;
  // Ends the connection for good.
  [[nodiscard]] async::Task<void> close();

 private:
  struct Exchange {
    const Message& message;
    std::chrono::steady_clock::time_point since;
    Result<std::vector<Message>> answer;
    std::coroutine_handle<> waiter{};
  };
  struct Queued;

  async::Task<void> run();
  async::Task<bool> open();
  async::Task<void> read_answers();
  async::Task<void> write_unsent();
  [[nodiscard]] bool take(Message message);
  void disconnect();

  async::Loop& loop_;
  ConnectionOptions options_;
  std::move_only_function<void()> on_ready_;
  std::unique_ptr<async::LocalSocket> socket_;
  std::deque<Exchange*> unsent_, unanswered_;
  std::vector<Message> parts_;  // of the answer that is coming in
  bool connected_ = false;
  bool accepting_ = false;
  bool writing_ = false;
  bool closing_ = false;
  bool running_ = true;
};

}  // namespace strongroom::audit

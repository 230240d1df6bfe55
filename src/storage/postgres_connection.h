// PostgresConnection: one connection to PostgreSQL that is made, used, watched and made again after
// a loss, in the background. Calls queue up behind it and are pipelined. Of several servers it asks
// the one that it had first, then the others in turn.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "storage/postgres_pipeline.h"
#include "storage/postgres_settings.h"
#include "storage/socket_watch.h"

namespace strongroom::storage {

struct PostgresLimits {
  std::chrono::milliseconds statement_timeout;
  std::chrono::milliseconds connect_timeout;  // of each server
  std::size_t requests_max;
};

// A PostgresConnection belongs to one Loop, which outlives it.
class PostgresConnection {
 public:
  // REQUIRES: `servers` is not empty.
  PostgresConnection(async::Loop& loop, std::vector<PostgresSettings> servers,
                     PostgresLimits limits);
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // Runs `commands` as one transaction and gives the answer of each. Errors: as Database's.
  [[nodiscard]] async::Task<Result<std::vector<Answer>>> run(std::vector<PostgresCommand> commands,
                                                             bool writes);
  [[nodiscard]] bool ready() const noexcept { return state_ == State::serving; }
  // True when a call would be refused now.
  [[nodiscard]] bool resting() const noexcept { return state_ == State::resting; }
  // Calls waiting and under way.
  [[nodiscard]] std::size_t load() const noexcept { return waiting_.size() + pipeline_.size(); }
  // Refuses new calls, lets the others end, then disconnects.
  [[nodiscard]] async::Task<void> close();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t {
    connecting,  // an attempt is under way; calls wait for its outcome
    serving,
    resting,  // no server was reached, the next attempt waits for the alarm; calls are refused
    closed,
  };
  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  struct Enqueued;
  struct Closed;

  void on_event(SocketWatch::Event event);
  void connect();
  void continue_connecting(SocketWatch::Event event);
  void connected();
  void serve(SocketWatch::Event event);
  bool exchange(bool readable, std::vector<PostgresCall*>& ended);
  bool send_waiting();
  void look_for_silence();
  void lose(const char* reason);
  void give_up();
  void rest();
  void disconnect();
  void close_when_idle();

  async::Loop& loop_;
  const std::vector<PostgresSettings> servers_;
  const PostgresLimits limits_;
  State state_ = State::connecting;
  std::unique_ptr<pg_conn, Finish> connection_;
  SocketWatch watch_;  // after connection_: it lets go of the socket first
  PostgresPipeline pipeline_;
  std::deque<PostgresCall*> waiting_;
  SteadyTime connected_at_{};
  SteadyTime heard_at_{};  // of the server, or since when it owes an answer
  bool silence_alarm_ = false;
  std::size_t server_ = 0;  // the one that is used or tried
  std::size_t tried_ = 0;   // how many in a row could not be reached
  std::uint32_t failures_ = 0;
  std::minstd_rand jitter_{std::random_device{}()};
  bool closing_ = false;
  std::coroutine_handle<> closer_;
};

}  // namespace strongroom::storage

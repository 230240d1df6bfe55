// Connection: one accepted connection of a Server, from handshake to close.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "async/task.h"
#include "base/secret.h"
#include "http/head.h"
#include "http/internal/buffer.h"
#include "http/internal/deadline.h"
#include "http/internal/socket.h"
#include "http/internal/transport.h"
#include "http/message.h"

namespace strongroom::http::internal {

class ServerState;

class Connection {
 public:
  Connection(std::shared_ptr<ServerState> server, Socket socket,
             std::unique_ptr<Transport> transport, Peer peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves requests until either side ends the connection. Owns it, so that it lives as long as its
  // coroutine.
  static async::Task<void> run(std::unique_ptr<Connection> self);

  // When it began to wait for its next request; empty while it does anything else.
  [[nodiscard]] std::optional<SteadyClock::time_point> idle_since() const noexcept;
  // Ends it when it is idle.
  void close_if_idle() noexcept;
  // Ends it whatever it does; a handler under way is let to its end.
  void cut() noexcept;

 private:
  enum class Phase : std::uint8_t { handshake, idle, reading, handling, writing, lingering };
  // Why no request was read: a problem to be answered, or none when nobody is there to answer.
  using Refusal = std::optional<wire::Problem>;

  async::Task<bool> handshake();
  async::Task<bool> await_request();
  async::Task<std::expected<void, Refusal>> read_head();
  async::Task<std::expected<std::span<std::byte>, Refusal>> read_body();
  // Reads, answers and forgets one request; true when the connection stays open.
  async::Task<bool> serve_request();
  async::Task<bool> answer(std::span<std::byte> body);
  async::Task<void> refuse(wire::Problem problem);
  // Ends the connection, in its own time or at once, without the answer.
  async::Task<void> break_off(Delivery delivery);
  async::Task<bool> write(std::string_view text);
  // Waits for the peer to close, so that a reset does not overtake our last answer (RFC 9112 9.6).
  async::Task<void> linger();
  async::Task<IoStatus> read_some(std::span<std::byte> into, std::size_t& size);
  async::Task<bool> fill();
  bool fill_now();
  async::Task<bool> wait(IoStatus want);
  [[nodiscard]] std::string request_id() const;
  [[nodiscard]] std::string new_request_id() const;
  [[nodiscard]] Refusal read_refusal() const noexcept;
  [[nodiscard]] bool closes() const noexcept;

  std::shared_ptr<ServerState> server_;
  Socket socket_;
  std::unique_ptr<Transport> transport_;
  Peer peer_;
  Deadline deadline_;
  Phase phase_ = Phase::handshake;
  SteadyClock::time_point idle_since_{};
  bool timed_out_ = false;
  bool last_call_ = false;  // to be closed before the next wait for a request
  bool cut_ = false;        // no further wait at all
  Buffer buffer_;
  SecretBytes body_;  // when it does not fit behind its head
  Head head_;
  std::size_t head_size_ = 0;
};

}  // namespace strongroom::http::internal

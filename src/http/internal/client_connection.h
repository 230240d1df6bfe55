// ClientConnection: one connection of a Client's pool, with at most one exchange at a time.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "async/loop.h"
#include "async/task.h"
#include "http/client.h"
#include "http/internal/buffer.h"
#include "http/internal/deadline.h"
#include "http/internal/response_parser.h"
#include "http/internal/socket.h"
#include "http/internal/transport.h"

namespace strongroom::http::internal {

class ClientConnection {
 public:
  // What became of an exchange.
  struct Outcome {
    Result<ClientResponse> response;
    bool reusable = false;
    bool nothing_came =
        false;  // the connection ended, not by time-out, before the answer's first byte
  };

  // Connects and shakes hands within the options' connect_timeout. unavailable, permission_denied.
  static async::Task<Result<std::unique_ptr<ClientConnection>>> open(async::Loop& loop,
                                                                     Deadlines& deadlines,
                                                                     const ClientOptions& options);

  ClientConnection(Socket socket, Deadlines& deadlines);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // `head` is the request's head, ready to go out. Errors as Client::send says.
  async::Task<Outcome> exchange(std::string_view head, const ClientRequest& request,
                                const ClientOptions& options);
  // Writes all of `bytes`, within `timeout`, and waits for no answer. unavailable,
  // permission_denied; then the connection is of no more use.
  async::Task<Result<void>> send(std::span<const std::byte> bytes,
                                 std::chrono::milliseconds timeout);
  // False when the peer has closed, or has sent what nobody asked for.
  [[nodiscard]] bool is_alive();
  // Says goodbye; the connection is not used after.
  void finish() { transport_->finish_writing(); }

 private:
  async::Task<bool> wait(IoStatus want);
  async::Task<Result<void>> establish(const ClientOptions& options);
  async::Task<IoStatus> write(std::span<const std::byte> bytes);
  async::Task<IoStatus> write_request(std::string_view head, std::span<const std::byte> body);
  async::Task<IoStatus> read_some();
  async::Task<IoStatus> read_response(ResponseParser& parser);
  async::Task<Outcome> read_answer(const ClientRequest& request, const ClientOptions& options);

  Socket socket_;
  std::unique_ptr<Transport> transport_;
  Deadline deadline_;
  Buffer buffer_;
  bool timed_out_ = false;
  bool answer_began_ = false;
};

}  // namespace strongroom::http::internal

// Connecting, and one exchange: write the request whole, read the answer whole.
#include "http/internal/client_connection.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/encoding.h"
#include "base/secret.h"
#include "http/internal/resolve.h"

namespace strongroom::http::internal {
namespace {

constexpr std::size_t kOneWrite = std::size_t{16} << 10;  // a TLS record's payload
constexpr std::size_t kFirstBlock = 4096;
constexpr std::size_t kBlockMax = std::size_t{32} << 10;  // more than any head the parser takes

Error connect_failure(IoStatus status) {
  if (status == IoStatus::refused) {
    return {ErrorCode::permission_denied, "the peer's certificate or ours is not accepted"};
  }
  return {ErrorCode::unavailable, "the connection failed"};
}

Error answer_failure(IoStatus status) {
  if (status == IoStatus::refused) {
    return {ErrorCode::permission_denied, "the peer does not accept our certificate"};
  }
  return {ErrorCode::unknown_outcome, "the request was sent, but no whole answer came"};
}

bool may_listen(const ClientOptions& options, int fd) {
  const std::vector<uid_t>& users = options.unix_users;
  if (options.unix_path.empty() || users.empty()) return true;
  const std::optional<uid_t> listener = peer_uid(fd);
  return listener && std::ranges::find(users, *listener) != users.end();
}

Result<FileDescriptor> start_connect(const ClientOptions& options, const std::string& address) {
  if (!options.unix_path.empty()) return start_connect_unix(options.unix_path);
  return start_connect_tcp(address, options.port);
}

}  // namespace

ClientConnection::ClientConnection(Socket socket, Deadlines& deadlines)
    : socket_(std::move(socket)), deadline_(deadlines, [this] {
        timed_out_ = true;
        socket_.cancel();
      }) {}

async::Task<bool> ClientConnection::wait(IoStatus want) {
  if (timed_out_) co_return false;
  const auto [error] = co_await socket_.ready(want == IoStatus::want_write);
  co_return !error && !timed_out_;
}

async::Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::open(
    async::Loop& loop, Deadlines& deadlines, const ClientOptions& options) {
  std::vector<std::string> addresses = options.addresses;
  if (!options.unix_path.empty()) {
    addresses = {""};
  } else if (addresses.empty()) {
    SR_CO_TRY(addresses, co_await resolve(loop, options.host));
  }
  Error last{ErrorCode::unavailable, "the connection failed"};
  for (const std::string& address : addresses) {
    Result<FileDescriptor> fd = start_connect(options, address);
    if (!fd) {
      last = fd.error();
      continue;
    }
    auto connection = std::make_unique<ClientConnection>(Socket(loop, *std::move(fd)), deadlines);
    const Result<void> established = co_await connection->establish(options);
    if (established) co_return Result<std::unique_ptr<ClientConnection>>(std::move(connection));
    last = established.error();
  }
  co_return fail(last);
}

async::Task<Result<void>> ClientConnection::establish(const ClientOptions& options) {
  deadline_.arm(options.connect_timeout);
  const bool connected = co_await wait(IoStatus::want_write);
  if (!connected || connect_error(socket_.fd()) != 0) {
    co_return fail(connect_failure(IoStatus::failed));
  }
  if (!may_listen(options, socket_.fd())) {
    co_return fail({ErrorCode::permission_denied, "another user listens on the socket"});
  }
  transport_ =
      options.unix_path.empty()
          ? tls_client_transport(socket_.fd(), options.tls,
                                 {.identity = options.server_identity, .host = options.host})
          : plain_transport(socket_.fd());
  if (!transport_) co_return fail({ErrorCode::exhausted, "no memory for a connection"});
  for (;;) {
    const IoStatus status = transport_->handshake();
    if (status == IoStatus::done) break;
    if (status != IoStatus::want_read && status != IoStatus::want_write) {
      co_return fail(connect_failure(status));
    }
    const bool ready = co_await wait(status);
    if (!ready) co_return fail(connect_failure(IoStatus::failed));
  }
  deadline_.disarm();
  co_return Result<void>{};
}

bool ClientConnection::is_alive() {
  if (!socket_.has_input() && !transport_->has_pending()) return true;
  // What came may be TLS's own (a session ticket), which reading takes care of.
  std::array<std::byte, 1> unasked;
  return transport_->read(unasked).status == IoStatus::want_read;
}

async::Task<IoStatus> ClientConnection::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const Io io = transport_->write(bytes);
    if (io.status == IoStatus::done) {
      bytes = bytes.subspan(io.size);
      continue;
    }
    if (io.status != IoStatus::want_read && io.status != IoStatus::want_write) co_return io.status;
    const bool ready = co_await wait(io.status);
    if (!ready) co_return IoStatus::failed;
  }
  co_return IoStatus::done;
}

async::Task<Result<void>> ClientConnection::send(std::span<const std::byte> bytes,
                                                 std::chrono::milliseconds timeout) {
  deadline_.arm(timeout);
  const IoStatus status = co_await write(bytes);
  deadline_.disarm();
  if (status != IoStatus::done) co_return fail(connect_failure(status));
  co_return Result<void>{};
}

// A small request goes out as one record by one system call. Its body may be card data, so what
// joins the two lies in the arena, and is wiped when the last byte is with the kernel.
async::Task<IoStatus> ClientConnection::write_request(std::string_view head,
                                                      std::span<const std::byte> body) {
  if (body.empty()) co_return co_await write(as_bytes(head));
  if (head.size() + body.size() > kOneWrite) {
    const IoStatus status = co_await write(as_bytes(head));
    if (status != IoStatus::done) co_return status;
    co_return co_await write(body);
  }
  auto joined = SecretBytes::allocate(head.size() + body.size());
  if (!joined) co_return IoStatus::failed;
  const auto rest = std::ranges::copy(as_bytes(head), joined->reveal().begin()).out;
  std::ranges::copy(body, rest);
  co_return co_await write(joined->reveal());
}

async::Task<IoStatus> ClientConnection::read_some() {
  for (;;) {
    const Io io = transport_->read(buffer_.room());
    if (io.status == IoStatus::done) {
      buffer_.commit(io.size);
      answer_began_ = true;
    }
    if (io.status != IoStatus::want_read && io.status != IoStatus::want_write) co_return io.status;
    const bool ready = co_await wait(io.status);
    if (!ready) co_return IoStatus::failed;
  }
}

// `done` when the parser has a whole response.
async::Task<IoStatus> ClientConnection::read_response(ResponseParser& parser) {
  for (;;) {
    if (!buffer_.empty()) {
      const auto used = parser.take(buffer_.text());
      if (!used) co_return IoStatus::failed;
      buffer_.consume(*used);
    }
    if (parser.is_done()) co_return IoStatus::done;
    const std::size_t wanted = buffer_.empty() ? kFirstBlock : buffer_.size() * 2;
    if (wanted > kBlockMax || !buffer_.reserve(wanted)) co_return IoStatus::failed;
    const IoStatus status = co_await read_some();
    if (status == IoStatus::closed && parser.end()) co_return IoStatus::done;
    if (status != IoStatus::done) co_return status;
  }
}

async::Task<ClientConnection::Outcome> ClientConnection::read_answer(const ClientRequest& request,
                                                                     const ClientOptions& options) {
  std::optional<ResponseParser> parser;
  IoStatus status = IoStatus::done;
  do {  // interim responses (RFC 9110 section 15.2) come before the answer
    parser.emplace(options.response_bytes_max, request.method == Method::head);
    status = co_await read_response(*parser);
  } while (status == IoStatus::done && parser->response().status / 100 == 1);
  if (status != IoStatus::done) {
    co_return Outcome{.response = fail(answer_failure(status)),
                      .nothing_came = !answer_began_ && !timed_out_};
  }
  // Bytes behind the answer belong to no request: such a connection is not trusted again.
  co_return Outcome{.response = std::move(parser->response()),
                    .reusable = parser->keep_alive() && buffer_.empty()};
}

async::Task<ClientConnection::Outcome> ClientConnection::exchange(std::string_view head,
                                                                  const ClientRequest& request,
                                                                  const ClientOptions& options) {
  answer_began_ = false;
  deadline_.arm(options.response_timeout);
  const IoStatus sent = co_await write_request(head, request.body);
  if (sent != IoStatus::done) {
    deadline_.disarm();
    co_return Outcome{.response = fail(connect_failure(sent)), .nothing_came = !timed_out_};
  }
  // No answer can be there yet: an attempt to read it would only cost.
  if (!transport_->has_pending()) co_await wait(IoStatus::want_read);
  Outcome outcome = co_await read_answer(request, options);
  deadline_.disarm();
  co_return outcome;
}

}  // namespace strongroom::http::internal

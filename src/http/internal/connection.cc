// One connection as a straight line: handshake, then per request head, body, handler, answer.
#include "http/internal/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/encoding.h"
#include "http/internal/response_text.h"
#include "http/internal/server_state.h"

namespace strongroom::http::internal {
namespace {

using wire::Problem;
using wire::ProblemType;

constexpr std::size_t kFirstBlock = 4096;  // takes nearly every request whole
constexpr std::chrono::milliseconds kLingerTimeout{1'000};
constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, Socket socket,
                       std::unique_ptr<Transport> transport, Peer peer)
    : server_(std::move(server)),
      socket_(std::move(socket)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      deadline_(server_->deadlines, [this] {
        timed_out_ = true;
        socket_.cancel();
      }) {
  server_->add(*this);
}

Connection::~Connection() { server_->remove(*this); }

std::optional<SteadyClock::time_point> Connection::idle_since() const noexcept {
  if (phase_ != Phase::idle || last_call_) return std::nullopt;
  return idle_since_;
}

void Connection::close_if_idle() noexcept {
  if (phase_ != Phase::idle) return;
  last_call_ = true;
  socket_.cancel();
}

void Connection::cut() noexcept {
  cut_ = true;
  ::shutdown(socket_.fd(), SHUT_RDWR);
  socket_.cancel();
}

async::Task<void> Connection::run(std::unique_ptr<Connection> self) {
  if (!co_await self->handshake()) {
    ++self->server_->counters.handshakes_failed;
    co_return;
  }
  while (co_await self->await_request()) {
    const bool stays_open = co_await self->serve_request();
    if (!stays_open) co_return;
  }
  self->transport_->finish_writing();
}

async::Task<bool> Connection::wait(IoStatus want) {
  if (cut_ || timed_out_) co_return false;
  const auto [error] = co_await socket_.ready(want == IoStatus::want_write);
  co_return !error && !cut_ && !timed_out_;
}

async::Task<bool> Connection::handshake() {
  deadline_.arm(server_->limits.handshake_timeout);
  for (;;) {
    const IoStatus status = transport_->handshake();
    if (status == IoStatus::done) break;
    if (status != IoStatus::want_read && status != IoStatus::want_write) co_return false;
    const bool ready = co_await wait(status);
    if (!ready) co_return false;
  }
  deadline_.disarm();
  peer_.identity = transport_->peer_identity();
  co_return true;
}

// Reads at least one byte; `size` is how many.
async::Task<IoStatus> Connection::read_some(std::span<std::byte> into, std::size_t& size) {
  for (;;) {
    const Io io = transport_->read(into);
    if (io.status == IoStatus::done) {
      size = io.size;
      co_return IoStatus::done;
    }
    if (io.status != IoStatus::want_read && io.status != IoStatus::want_write) co_return io.status;
    const bool ready = co_await wait(io.status);
    if (!ready) co_return IoStatus::failed;
  }
}

async::Task<bool> Connection::fill() {
  std::size_t size = 0;
  const IoStatus status = co_await read_some(buffer_.room(), size);
  buffer_.commit(size);
  co_return status == IoStatus::done;
}

// What is there already, without waiting.
bool Connection::fill_now() {
  const Io io = transport_->read(buffer_.room());
  buffer_.commit(io.size);
  return io.status == IoStatus::done;
}

// A peer that was too slow hears so; one that left hears nothing.
Connection::Refusal Connection::read_refusal() const noexcept {
  if (!timed_out_ || cut_) return std::nullopt;
  return Problem{.type = ProblemType::request_timeout};
}

async::Task<bool> Connection::await_request() {
  if (server_->draining() && buffer_.empty()) co_return false;
  phase_ = Phase::idle;
  idle_since_ = SteadyClock::now();
  deadline_.arm(server_->limits.idle_timeout);
  if (buffer_.empty()) {
    // The buffer comes with the first bytes: an idle connection costs none.
    bool ready = transport_->has_pending();
    if (!ready) ready = co_await wait(IoStatus::want_read);
    if (cut_ || !buffer_.reserve(kFirstBlock)) co_return false;
    // A request may have come while we made up our mind to close: it is still served, for its
    // sender could not know whether it was.
    const bool filled = ready ? co_await fill() : fill_now();
    if (!filled) co_return false;
    timed_out_ = false;
  }
  phase_ = Phase::reading;
  deadline_.arm(server_->limits.header_timeout);
  co_return true;
}

async::Task<std::expected<void, Connection::Refusal>> Connection::read_head() {
  using Outcome = std::expected<void, Refusal>;
  const ServerLimits& limits = server_->limits;
  std::size_t scanned = 0;
  for (;;) {
    const auto end = find_head_end(buffer_.text(), scanned);
    if (end.value_or(buffer_.size()) > limits.header_bytes_max ||
        (!end && buffer_.size() == limits.header_bytes_max)) {
      co_return Outcome(std::unexpect, Problem{.type = ProblemType::headers_too_large});
    }
    if (end) {
      head_size_ = *end;
      break;
    }
    scanned = buffer_.size();
    if (buffer_.room().empty() && !buffer_.reserve(limits.header_bytes_max)) {
      co_return Outcome(std::unexpect, Problem{.type = ProblemType::overloaded});
    }
    const bool filled = co_await fill();
    if (!filled) co_return Outcome(std::unexpect, read_refusal());
  }
  const auto parsed =
      parse_head(buffer_.text().substr(0, head_size_), limits.header_fields_max, head_);
  if (!parsed) co_return Outcome(std::unexpect, parsed.error());
  co_return Outcome{};
}

async::Task<std::expected<std::span<std::byte>, Connection::Refusal>> Connection::read_body() {
  using Outcome = std::expected<std::span<std::byte>, Refusal>;
  const std::size_t size = head_.content_length;
  if (const std::size_t most = server_->router.body_bytes_max(head_); size > most) {
    static_assert(kBodyBytesMax == std::size_t{16} << 10);
    Problem problem{.type = ProblemType::too_large};
    if (most == kBodyBytesMax) problem.detail = "at most 16 KiB (16,384 bytes)";
    co_return Outcome(std::unexpect, problem);
  }
  const bool whole = buffer_.size() >= head_size_ + size;
  if (!whole) deadline_.arm(server_->limits.body_timeout);
  if (head_.expects_continue && !whole) {
    const bool written = co_await write(kContinue);
    if (!written) co_return Outcome(std::unexpect, std::nullopt);
    deadline_.arm(server_->limits.body_timeout);
  }
  // In place when it fits: the head's views point into the buffer, so that must not move.
  if (head_size_ + size <= buffer_.capacity()) {
    while (buffer_.size() < head_size_ + size) {
      const bool filled = co_await fill();
      if (!filled) co_return Outcome(std::unexpect, read_refusal());
    }
    co_return Outcome(buffer_.bytes().subspan(head_size_, size));
  }
  auto block = SecretBytes::allocate(size);
  if (!block) co_return Outcome(std::unexpect, Problem{.type = ProblemType::overloaded});
  body_ = *std::move(block);
  const auto early = buffer_.bytes().subspan(head_size_);
  std::ranges::copy(early, body_.reveal().begin());
  for (std::size_t have = early.size(); have < size;) {
    std::size_t more = 0;
    const IoStatus status = co_await read_some(body_.reveal().subspan(have), more);
    if (status != IoStatus::done) co_return Outcome(std::unexpect, read_refusal());
    have += more;
  }
  co_return Outcome(body_.reveal());
}

async::Task<bool> Connection::serve_request() {
  auto head = co_await read_head();
  if (!head) {
    if (head.error()) co_await refuse(*head.error());
    co_return false;
  }
  auto body = co_await read_body();
  if (!body) {
    if (body.error()) co_await refuse(*body.error());
    co_return false;
  }
  const bool answered = co_await answer(*body);
  const std::size_t used = body_.empty() ? head_size_ + head_.content_length : buffer_.size();
  body_ = SecretBytes{};
  buffer_.consume(used);
  if (!answered) co_return false;
  if (!closes()) co_return true;
  co_await linger();
  co_return false;
}

bool Connection::closes() const noexcept {
  return head_.close || last_call_ || server_->draining();
}

std::string Connection::request_id() const {
  // Only services may name requests: an outsider could make two look like one.
  const std::string_view given = head_.header("strongroom-request-id");
  if (!peer_.identity.empty() && parse_uuid(given)) return std::string(given);
  return new_request_id();
}

// A UUID: no filter takes its digits for a card number (base/pan_scan.h), so no log masks it.
std::string Connection::new_request_id() const {
  return uuid_text(crypto::new_request_id(server_->random, server_->clock).bytes);
}

async::Task<bool> Connection::answer(std::span<std::byte> body) {
  deadline_.disarm();
  phase_ = Phase::handling;
  ++server_->counters.requests;
  Request request(head_, body, peer_, request_id());
  Response response;
  if (server_->requests_in_flight >= server_->limits.requests_in_flight_max) {
    response = problem_response({.type = ProblemType::overloaded, .retry_after_s = 1},
                                request.request_id());
  } else {
    ++server_->requests_in_flight;
    response = co_await server_->router.dispatch(request);
    --server_->requests_in_flight;
  }
  if (response.delivery != Delivery::whole) {
    co_await break_off(response.delivery);
    co_return false;
  }
  server_->router.note(request.request_id(), response);
  const std::string text =
      response_text(std::move(response), head_.method, request.request_id(), closes());
  co_return co_await write(text);
}

async::Task<void> Connection::refuse(Problem problem) {
  ++server_->counters.requests_refused;
  timed_out_ = false;  // the answer has its own time
  const std::string id = new_request_id();
  Response response = problem_response(problem, id);
  server_->router.note(id, response);
  const std::string text = response_text(std::move(response), Method::get, id, true);
  const bool written = co_await write(text);
  if (written) co_await linger();
}

async::Task<void> Connection::break_off(Delivery delivery) {
  if (delivery == Delivery::reset) {
    // Closing with no time to linger sends RST (RFC 9293 section 3.10.4, ABORT).
    const struct ::linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    co_return;
  }
  phase_ = Phase::lingering;
  deadline_.arm(server_->limits.idle_timeout);
  co_await wait(IoStatus::want_read);
}

async::Task<bool> Connection::write(std::string_view text) {
  phase_ = Phase::writing;
  std::span<const std::byte> left = as_bytes(text);
  deadline_.arm(server_->limits.write_timeout);
  while (!left.empty()) {
    const Io io = transport_->write(left);
    if (io.status == IoStatus::done) {
      left = left.subspan(io.size);
      continue;
    }
    if (io.status != IoStatus::want_read && io.status != IoStatus::want_write) co_return false;
    const bool ready = co_await wait(io.status);
    if (!ready) co_return false;
  }
  deadline_.disarm();
  co_return true;
}

async::Task<void> Connection::linger() {
  phase_ = Phase::lingering;
  transport_->finish_writing();
  ::shutdown(socket_.fd(), SHUT_WR);
  deadline_.arm(kLingerTimeout);
  std::array<char, 4096> discarded;
  std::size_t total = 0;
  while (total < kLingerBytesMax) {
    const ssize_t size = ::recv(socket_.fd(), discarded.data(), discarded.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) break;
    if (size > 0) {
      total += static_cast<std::size_t>(size);
      continue;
    }
    const bool ready = co_await wait(IoStatus::want_read);
    if (!ready) break;
  }
}

}  // namespace strongroom::http::internal

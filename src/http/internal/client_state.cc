// A bounded pool: idle connections are used last in first out, so that those that are not needed
// age and go; requests wait first in first out.
#include "http/internal/client_state.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "http/internal/ascii.h"

namespace strongroom::http::internal {
namespace {

std::string host_field(const ClientOptions& options) {
  if (!options.unix_path.empty()) return "localhost";
  const bool v6 = options.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + options.host + "]" : options.host;
  return options.port == 443 ? host : fmt::format("{}:{}", host, options.port);
}

// The request's head; invalid_argument when a byte of it could end a line.
Result<std::string> request_head(const ClientRequest& request, const std::string& host) {
  const bool plain =
      request.target.starts_with('/') && is_printable(request.target) &&
      request.target.find(' ') == std::string_view::npos &&
      std::ranges::all_of(request.headers, [](const auto& field) {
        return !field.first.empty() && is_printable(field.first) && is_printable(field.second);
      });
  if (!plain) return fail({ErrorCode::invalid_argument, "the request's head is not well-formed"});
  std::string head;
  head.reserve(512);
  auto out = std::back_inserter(head);
  fmt::format_to(out, "{} {} HTTP/1.1\r\nHost: {}\r\n", to_string(request.method), request.target,
                 host);
  const bool bodiless = request.method == Method::get || request.method == Method::head ||
                        request.method == Method::delete_;
  if (!bodiless || !request.body.empty()) {
    fmt::format_to(out, "Content-Length: {}\r\n", request.body.size());
  }
  for (const auto& [name, value] : request.headers) {
    fmt::format_to(out, "{}: {}\r\n", name, value);
  }
  head.append("\r\n");
  return head;
}

bool is_safe(Method method) noexcept { return method == Method::get || method == Method::head; }

std::chrono::milliseconds shortest(const ClientOptions& options) {
  return std::min({options.turn_timeout, options.connect_timeout, options.response_timeout,
                   options.idle_timeout});
}

}  // namespace

// A send that waits for a connection. It lies in the waiting coroutine's frame.
struct ClientState::Waiter {
  Deadline deadline;
  std::coroutine_handle<> handle{};
  bool granted = false;  // a connection, or with none in `lease` the right to make one
  Lease lease{};
};

ClientState::ClientState(async::Loop& loop, ClientOptions options)
    : loop_(loop),
      options_(std::move(options)),
      deadlines_(loop, shortest(options_)),
      idle_sweep_(deadlines_, [this] { sweep(); }) {}

async::Task<Result<ClientResponse>> ClientState::send(const ClientRequest& request) {
  SR_CO_TRY(const std::string head, request_head(request, host_field(options_)));
  for (bool again = false;; again = true) {
    Result<Lease> lease = co_await acquire();
    if (!lease) co_return fail(lease.error());
    const bool kept = lease->kept;
    ClientConnection::Outcome outcome =
        co_await lease->connection->exchange(head, request, options_);
    release(*std::move(lease), outcome.reusable);
    if (outcome.response) co_return std::move(outcome.response);
    // A kept connection that died before it answered tells of the past, not of the peer. What was
    // not sent whole, or changes nothing, may go out once more.
    const bool repeatable =
        outcome.response.error().code() == ErrorCode::unavailable || is_safe(request.method);
    if (again || !kept || !outcome.nothing_came || !repeatable)
      co_return std::move(outcome.response);
    drop_idle();  // its fellows are as old
  }
}

async::Task<Result<ClientState::Lease>> ClientState::acquire() {
  if (closing_) co_return fail({ErrorCode::unavailable, "the client is closed"});
  while (!idle_.empty()) {
    Lease lease = std::move(idle_.back().lease);
    idle_.pop_back();
    if (lease.connection->is_alive()) co_return Result<Lease>(std::move(lease));
    --open_;
  }
  if (open_ >= options_.connections_max) co_return co_await wait_for_turn();
  ++open_;
  co_return co_await open();
}

// Uses a slot that is counted already.
async::Task<Result<ClientState::Lease>> ClientState::open() {
  const std::uint64_t generation = generation_;
  auto connection = co_await ClientConnection::open(loop_, deadlines_, options_);
  if (!connection) {
    free_slot();
    co_return fail(connection.error());
  }
  Lease lease{.connection = *std::move(connection), .generation = generation};
  co_return Result<Lease>(std::move(lease));
}

async::Task<Result<ClientState::Lease>> ClientState::wait_for_turn() {
  if (waiting_.size() >= options_.waiting_max) {
    co_return fail({ErrorCode::exhausted, "too many requests wait for a connection"});
  }
  Waiter* self = nullptr;
  Waiter waiter{.deadline = Deadline(deadlines_, [this, &self] {
                  std::erase(waiting_, self);
                  resume_later(*self);
                })};
  self = &waiter;
  waiter.deadline.arm(options_.turn_timeout);
  waiting_.push_back(&waiter);
  struct Turn {
    Waiter& waiter;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept { waiter.handle = handle; }
    void await_resume() const noexcept {}
  };
  co_await Turn{waiter};
  if (!waiter.granted) co_return fail({ErrorCode::exhausted, "no connection became free in time"});
  if (waiter.lease.connection) co_return Result<Lease>(std::move(waiter.lease));
  co_return co_await open();
}

// Not here and now: the waiter's own work must not nest in that of whoever makes room.
void ClientState::resume_later(Waiter& waiter) {
  waiter.deadline.disarm();
  loop_.post([handle = waiter.handle] { handle.resume(); });
}

void ClientState::release(Lease lease, bool reusable) {
  if (!reusable || closing_ || lease.generation != generation_) {
    if (reusable) lease.connection->finish();
    lease.connection.reset();
    free_slot();
    return;
  }
  lease.kept = true;
  if (waiting_.empty()) {
    if (idle_.empty()) idle_sweep_.arm(options_.idle_timeout);
    idle_.push_back({.lease = std::move(lease), .since = SteadyClock::now()});
    return;
  }
  Waiter& waiter = *waiting_.front();
  waiting_.pop_front();
  waiter.granted = true;
  waiter.lease = std::move(lease);
  resume_later(waiter);
}

void ClientState::free_slot() {
  if (!waiting_.empty()) {
    Waiter& waiter = *waiting_.front();
    waiting_.pop_front();
    waiter.granted = !closing_;
    resume_later(waiter);
    if (waiter.granted) return;  // the slot is now the waiter's
  }
  --open_;
  if (open_ == 0 && closed_) {
    loop_.post([handle = std::exchange(closed_, {})] { handle.resume(); });
  }
}

void ClientState::drop_idle() {
  open_ -= idle_.size();
  for (const Idle& idle : idle_) idle.lease.connection->finish();
  idle_.clear();
  idle_sweep_.disarm();
}

void ClientState::sweep() {
  const SteadyClock::time_point now = SteadyClock::now();
  while (!idle_.empty() && idle_.front().since + options_.idle_timeout <= now) {
    idle_.front().lease.connection->finish();
    idle_.pop_front();
    --open_;
  }
  if (idle_.empty()) return;
  const auto left = idle_.front().since + options_.idle_timeout - now;
  idle_sweep_.arm(std::chrono::ceil<std::chrono::milliseconds>(left));
}

void ClientState::set_tls(std::shared_ptr<const TlsContext> tls) {
  options_.tls = std::move(tls);
  ++generation_;
  drop_idle();
}

async::Task<void> ClientState::close() {
  closing_ = true;
  drop_idle();
  for (Waiter* waiter : std::exchange(waiting_, {})) resume_later(*waiter);
  if (open_ == 0) co_return;
  struct Closed {
    std::coroutine_handle<>& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept { waiting = handle; }
    void await_resume() const noexcept {}
  };
  co_await Closed{closed_};
}

}  // namespace strongroom::http::internal

// Accepting, admitting and draining.
#include "http/internal/server_state.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace strongroom::http::internal {
namespace {

constexpr int kAcceptBurst = 64;  // then others get their turn
constexpr std::chrono::milliseconds kAcceptPause{100};

std::chrono::milliseconds shortest(const ServerLimits& limits) {
  return std::min({limits.handshake_timeout, limits.header_timeout, limits.body_timeout,
                   limits.idle_timeout, limits.write_timeout});
}

}  // namespace

ServerState::ServerState(async::Loop& on_loop, FileDescriptor listener,
                         std::shared_ptr<const TlsContext> context, std::vector<uid_t> allowed,
                         Router& routes, ServerLimits bounds)
    : loop(on_loop),
      router(routes),
      limits(bounds),
      deadlines(on_loop, shortest(bounds)),
      tls(std::move(context)),
      port(local_port(listener.get())),
      listener_(on_loop, std::move(listener)),
      allowed_(std::move(allowed)),
      unix_(tls == nullptr),
      accept_again_(deadlines, [this] { start_accepting(); }),
      patience_(deadlines, [this] { cut_all(); }) {}

void ServerState::start_accepting() {
  // A plain handler, not a coroutine, so that a Loop that ends early drops it whole.
  listener_.when_readable([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error && !self->draining_) self->accept_all();
  });
}

void ServerState::accept_all() {
  for (int i = 0; i < kAcceptBurst; ++i) {
    auto accepted = accept(listener_.fd());
    if (!accepted) {
      accept_again_.arm(kAcceptPause);
      return;
    }
    if (!*accepted) break;
    ++counters.connections_accepted;
    admit(**std::move(accepted));
  }
  start_accepting();
}

void ServerState::admit(Accepted accepted) {
  const bool welcome =
      !unix_ || (accepted.uid && std::ranges::find(allowed_, *accepted.uid) != allowed_.end());
  if (!welcome || !make_room()) {
    ++counters.connections_refused;
    return;
  }
  const int fd = accepted.fd.get();
  std::unique_ptr<Transport> transport =
      unix_ ? plain_transport(fd) : tls_server_transport(fd, tls);
  if (!transport) {
    ++counters.connections_refused;
    return;
  }
  Peer peer{.identity = {}, .source = std::move(accepted.source), .uid = accepted.uid};
  async::spawn(Connection::run(
      std::make_unique<Connection>(shared_from_this(), Socket(loop, std::move(accepted.fd)),
                                   std::move(transport), std::move(peer))));
}

// A full house makes room by ending what has been idle the longest; when nothing is idle, the
// newcomer is turned away.
bool ServerState::make_room() {
  if (connections_.size() < limits.connections_max) return true;
  Connection* longest = nullptr;
  SteadyClock::time_point since{};
  for (Connection* connection : connections_) {
    const auto idle = connection->idle_since();
    if (!idle || (longest != nullptr && *idle >= since)) continue;
    longest = connection;
    since = *idle;
  }
  if (longest == nullptr) return false;
  longest->close_if_idle();
  return true;
}

void ServerState::remove(Connection& connection) {
  connections_.erase(&connection);
  if (!connections_.empty() || !drained_) return;
  // Later, not here: the one who waits may destroy what this connection still stands on.
  loop.post([waiting = std::exchange(drained_, {})] { waiting.resume(); });
}

void ServerState::cut_all() noexcept {
  for (Connection* connection : connections_) connection->cut();
}

void ServerState::shut() noexcept {
  draining_ = true;
  accept_again_.disarm();
  listener_.close();
  cut_all();
}

async::Task<void> ServerState::drain(std::chrono::milliseconds patience) {
  draining_ = true;
  accept_again_.disarm();
  listener_.close();
  for (Connection* connection : connections_) connection->close_if_idle();
  if (connections_.empty()) co_return;
  patience_.arm(patience);
  struct Drained {
    std::coroutine_handle<>& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept { waiting = handle; }
    void await_resume() const noexcept {}
  };
  co_await Drained{drained_};
  patience_.disarm();
}

}  // namespace strongroom::http::internal

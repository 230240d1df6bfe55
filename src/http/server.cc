// Server: the public face of ServerState.
#include "http/server.h"

#include <utility>

#include "base/try.h"
#include "http/internal/server_state.h"

namespace strongroom::http {

using internal::ServerState;

Result<std::unique_ptr<Server>> Server::listen_tcp(async::Loop& loop, const TcpListen& where,
                                                   std::shared_ptr<const TlsContext> tls,
                                                   Router& router, ServerLimits limits) {
  if (!tls) return fail({ErrorCode::invalid_argument, "a TCP listener needs TLS"});
  SR_TRY(internal::FileDescriptor listener, internal::listen_tcp(where.address, where.port));
  auto state = std::make_shared<ServerState>(loop, std::move(listener), std::move(tls),
                                             std::vector<uid_t>{}, router, limits);
  state->start_accepting();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Result<UnixListener> UnixListener::open(const std::string& path) {
  SR_TRY(internal::FileDescriptor listener, internal::listen_unix(path));
  return UnixListener(listener.release());
}

UnixListener::UnixListener(UnixListener&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
UnixListener::~UnixListener() { internal::FileDescriptor closing(fd_); }

std::unique_ptr<Server> Server::serve_unix(async::Loop& loop, UnixListener listener,
                                           std::vector<uid_t> allowed, Router& router,
                                           ServerLimits limits) {
  auto state =
      std::make_shared<ServerState>(loop, internal::FileDescriptor(std::exchange(listener.fd_, -1)),
                                    nullptr, std::move(allowed), router, limits);
  state->start_accepting();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<ServerState> state) noexcept : state_(std::move(state)) {}
Server::~Server() { state_->shut(); }

std::uint16_t Server::port() const noexcept { return state_->port; }
void Server::set_tls(std::shared_ptr<const TlsContext> tls) noexcept {
  SR_CHECK(tls != nullptr && state_->tls != nullptr);
  state_->tls = std::move(tls);
}
async::Task<void> Server::drain(std::chrono::milliseconds patience) {
  return state_->drain(patience);
}
const ServerCounters& Server::counters() const noexcept { return state_->counters; }
std::size_t Server::connections() const noexcept { return state_->connections(); }

}  // namespace strongroom::http

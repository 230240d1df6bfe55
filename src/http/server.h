// Server: HTTP/1.1 (RFC 9112) over TLS 1.3 or a Unix socket, for one Loop. Strict where laxness
// lets two parsers disagree (request smuggling); every wait has a limit; an idle connection holds
// no plaintext.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/router.h"
#include "http/tls.h"

namespace strongroom::http {

namespace internal {
class ServerState;
}

// ServerLimits bound time and memory. Times are kept to a quarter of the shortest, 250 ms at most.
struct ServerLimits {
  std::chrono::milliseconds handshake_timeout{5'000};
  std::chrono::milliseconds header_timeout{
      10'000};  // from a request's first byte to its head's end
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};  // between requests; clients give up earlier
  std::chrono::milliseconds write_timeout{10'000};
  std::size_t header_bytes_max = std::size_t{16} << 10;
  std::size_t header_fields_max = 64;
  std::size_t connections_max = 1024;  // when full, the one that is idle the longest is closed
  std::size_t requests_in_flight_max = 1024;  // more are answered 503 overloaded
};

// TcpListen is where to listen: `address` is an IP address as text, `port` 0 takes any free one.
struct TcpListen {
  std::string address;
  std::uint16_t port = 0;
};

// UnixListener is a listening Unix socket that no Loop serves yet, for a process that opens it
// before a sandbox which forbids that. Whoever connects meanwhile waits.
class UnixListener {
 public:
  // Replaces a dead socket file at `path`; mode 0660. conflict: a process listens there, or it is
  // no socket; invalid_argument: the path is too long; unavailable (detail: errno).
  [[nodiscard]] static Result<UnixListener> open(const std::string& path);
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

 private:
  friend class Server;
  explicit UnixListener(int fd) noexcept : fd_(fd) {}
  int fd_;
};

// ServerCounters count since the start; for metrics.
struct ServerCounters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // full, or a Unix peer whose uid may not
  std::uint64_t handshakes_failed = 0;    // no or wrong certificate, not TLS, too slow
  std::uint64_t requests = 0;
  std::uint64_t requests_refused =
      0;  // answered before a route was sought: 400, 408, 411, 413, ...
};

// A Server belongs to its Loop and is used on the Loop's thread only. Several may share one port
// (each its own Loop, SO_REUSEPORT). `router` outlives it. Destroying it cuts its connections;
// drain() first lets them end.
class Server {
 public:
  // unavailable (detail: errno) when the address cannot be used; invalid_argument.
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen_tcp(
      async::Loop& loop, const TcpListen& where, std::shared_ptr<const TlsContext> tls,
      Router& router, ServerLimits limits);
  // Only peers of the uids `allowed` are served.
  [[nodiscard]] static std::unique_ptr<Server> serve_unix(async::Loop& loop, UnixListener listener,
                                                          std::vector<uid_t> allowed,
                                                          Router& router, ServerLimits limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  // Connections accepted from now on use `tls`.
  void set_tls(std::shared_ptr<const TlsContext> tls) noexcept;
  // Stops accepting, closes idle connections, lets requests under way end (their answers say
  // Connection: close), and cuts what is left after `patience`. Ends when no connection is left.
  [[nodiscard]] async::Task<void> drain(std::chrono::milliseconds patience);
  [[nodiscard]] const ServerCounters& counters() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  explicit Server(std::shared_ptr<internal::ServerState> state) noexcept;
  std::shared_ptr<internal::ServerState>
      state_;  // shared with the connections, which may end after the Server
};

}  // namespace strongroom::http

// Client: HTTP/1.1 to one peer over a pool of kept connections. It tells apart what the caller must
// tell apart: a request that never reached the peer, and one whose answer was lost.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/message.h"
#include "http/tls.h"

namespace strongroom::http {

namespace internal {
class ClientState;
}

struct ClientOptions {
  std::string host{};  // IP address or name; also the Host field
  std::uint16_t port = 0;
  std::vector<std::string> addresses{};     // IP addresses of `host`, tried in this order; empty:
                                            // the system is asked, which a sandbox forbids
  std::string unix_path{};                  // when set, the peer is this Unix socket, without TLS
  std::vector<uid_t> unix_users{};          // who may listen there, by uid; empty: anybody
  std::string server_identity{};            // SPIFFE identity that the peer must prove; empty: its
                                            // certificate must name `host` (outside hosts)
  std::shared_ptr<const TlsContext> tls{};  // needed without unix_path
  std::size_t connections_max = 8;
  std::size_t waiting_max = 1024;  // requests waiting for a connection, first come first served
  std::chrono::milliseconds turn_timeout{3'000};     // for one of connections_max to be free
  std::chrono::milliseconds connect_timeout{3'000};  // TCP and TLS together; a look-up of a
  // name has the system's own limits
  std::chrono::milliseconds response_timeout{
      10'000};                                     // from the first byte out to the last byte in
  std::chrono::milliseconds idle_timeout{60'000};  // below the servers' own, so that we close first
  std::size_t response_bytes_max = std::size_t{1} << 20;
};

// ClientRequest borrows; all of it outlives the send().
struct ClientRequest {
  Method method = Method::get;
  std::string_view target;  // path and query, as they go out
  std::vector<std::pair<std::string_view, std::string>> headers{};
  std::span<const std::byte> body{};  // may be card data: it is copied into the secret arena only
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const noexcept;
};

// A Client belongs to its Loop and is used on the Loop's thread only; it outlives every send()
// under way. Any number of sends may be under way.
class Client {
 public:
  Client(async::Loop& loop, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends `request` and gives the answer, whatever its status.
  // unavailable: the request never reached the peer whole, sending it again is safe. A kept
  // connection
  //   that turns out dead is replaced once before that.
  // permission_denied: the peer is not who it must be, or refused us; nothing was sent.
  // unknown_outcome: the request went out and no whole answer came (also one that is too large or
  //   malformed): it may have taken effect. GET and HEAD on a kept connection are repeated once
  //   first.
  // exhausted: waiting_max is reached, or no connection became free in time; nothing was sent.
  // invalid_argument: control characters in target or headers.
  [[nodiscard]] async::Task<Result<ClientResponse>> send(const ClientRequest& request);
  // Connections made from now on use `tls`; idle ones are closed.
  void set_tls(std::shared_ptr<const TlsContext> tls);
  // Closes idle connections and waits for the sends under way; later sends are unavailable.
  [[nodiscard]] async::Task<void> close();

 private:
  std::unique_ptr<internal::ClientState> state_;
};

// One request of a thread that runs no Loop: makes a Client, waits for the answer, and closes it.
// Errors are Client::send's.
[[nodiscard]] Result<ClientResponse> send_once(ClientOptions options, const ClientRequest& request);

}  // namespace strongroom::http

// Transport: bytes over a non-blocking socket, in clear (Unix sockets) or through TLS. Every call
// is one attempt that says what to wait for; who waits, and how long, is the caller's affair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "http/tls.h"

namespace strongroom::http::internal {

enum class IoStatus : std::uint8_t {
  done,
  want_read,   // repeat when the socket is readable
  want_write,  // repeat when the socket is writable
  closed,      // the peer ended the stream in order
  refused,     // a certificate was not accepted, here or by the peer
  failed,      // the stream broke
};

struct Io {
  IoStatus status = IoStatus::failed;
  std::size_t size = 0;  // bytes moved, with `done`
};

class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual IoStatus handshake() = 0;
  // REQUIRES of both: not empty. The same bytes must be given again after want_read or want_write.
  [[nodiscard]] virtual Io read(std::span<std::byte> into) = 0;
  [[nodiscard]] virtual Io write(std::span<const std::byte> bytes) = 0;
  // True when read() may give bytes although the socket is not readable.
  [[nodiscard]] virtual bool has_pending() const = 0;
  // Tells the peer that nothing more will be written.
  virtual void finish_writing() = 0;
  // What the peer's certificate proved; empty before the handshake and without a certificate.
  [[nodiscard]] virtual std::string peer_identity() const = 0;
};

// What a TLS client demands of the server: a SPIFFE identity, or, when that is empty, a host name.
struct Expectation {
  std::string identity;
  std::string host;
};

// `fd` outlives the transport and stays its caller's.
[[nodiscard]] std::unique_ptr<Transport> plain_transport(int fd);
// Null when OpenSSL has no memory left. The transport keeps `context`.
[[nodiscard]] std::unique_ptr<Transport> tls_server_transport(
    int fd, std::shared_ptr<const TlsContext> context);
[[nodiscard]] std::unique_ptr<Transport> tls_client_transport(
    int fd, std::shared_ptr<const TlsContext> context, Expectation expectation);

}  // namespace strongroom::http::internal

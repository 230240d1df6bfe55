// Request and Response: what a handler gets and gives. Nothing here knows sockets or TLS.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/ticket.h"
#include "wire/problem.h"

namespace strongroom::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_ };
[[nodiscard]] std::string_view to_string(Method method) noexcept;

// Peer is who stands at the other end of a connection, as the transport proved it.
struct Peer {
  std::string identity{};      // of its SPIFFE URI ("vaultd"); empty: no certificate
  std::string source{};        // IP address as text, or "unix"
  std::optional<uid_t> uid{};  // of the process at the other end of a Unix socket
};

struct HeaderField {
  std::string_view name;  // as it was sent; compared without case
  std::string_view value;
};

// Head is a request's first part, checked. Its views point into the bytes that were parsed.
struct Head {
  Method method = Method::get;
  std::string_view
      path;  // starts with '/'; no empty, "." or ".." segments; percent-encoding as sent
  std::string_view query;  // without '?'
  std::vector<HeaderField> fields;
  std::size_t content_length = 0;
  bool expects_continue = false;  // Expect: 100-continue
  bool close = false;             // Connection: close

  // The value of the first field of this name, empty when there is none.
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const noexcept;
};

// Request is one request; valid until its handler's task ends, and used on its Loop only.
class Request {
 public:
  static constexpr std::size_t kParametersMax = 4;

  // Borrows everything. Public so that handlers can be tested without a socket.
  Request(const Head& head, std::span<std::byte> body, const Peer& peer, std::string request_id)
      : head_(head), body_(body), peer_(peer), request_id_(std::move(request_id)) {}

  [[nodiscard]] Method method() const noexcept { return head_.method; }
  [[nodiscard]] std::string_view path() const noexcept { return head_.path; }
  [[nodiscard]] std::string_view query() const noexcept { return head_.query; }
  // The decoded value of one query parameter; empty when it is absent or ill-encoded.
  [[nodiscard]] std::optional<std::string> query_parameter(std::string_view name) const;
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const noexcept {
    return head_.header(lower_case_name);
  }
  // True when the body's media type is JSON (RFC 9110 section 8.3), whatever its parameters.
  [[nodiscard]] bool is_json() const noexcept;
  // Lies in the secret arena and is wiped before the connection reads its next request.
  [[nodiscard]] std::span<std::byte> body() const noexcept { return body_; }
  // The `index`th {..} part of the route's pattern, or the rest behind a prefix pattern's '*'.
  // REQUIRES: index < the number of parts.
  [[nodiscard]] std::string_view parameter(std::size_t index) const noexcept;
  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
  [[nodiscard]] std::string_view request_id() const noexcept { return request_id_; }
  // The verified ticket; null unless the route asks for one.
  [[nodiscard]] const Ticket* ticket() const noexcept { return ticket_ ? &*ticket_ : nullptr; }
  // The `traceparent` field when it is well formed (W3C Trace Context, section 3.2), else empty.
  [[nodiscard]] std::string_view traceparent() const noexcept;

 private:
  friend class Router;
  const Head& head_;
  std::span<std::byte> body_;
  const Peer& peer_;
  std::string request_id_;
  std::array<std::string_view, kParametersMax> parameters_{};
  std::size_t parameter_count_ = 0;
  std::optional<Ticket> ticket_;
};

// Delivery is what becomes of an answer. Only stand-ins that play a failing network ask for another
// one than `whole`.
enum class Delivery : std::uint8_t {
  whole,
  withheld,  // never sent; the connection stays open until the client closes it or the idle time
             // has passed
  reset,     // never sent; the connection ends at once with a TCP reset
};

// Response is what the server sends. Content-Length, Strongroom-Request-Id, Cache-Control: no-store
// and X-Content-Type-Options: nosniff are added by the server; `body` never holds card data.
// REQUIRES: header names and values without control characters (checked: the server answers 500).
struct Response {
  int status = 200;
  std::string_view content_type{};  // literal; empty with an empty body
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  Delivery delivery = Delivery::whole;
};

// How many items of a listing the query asks for by `limit`: 1 to `most`, which it is without one.
// invalid_value.
[[nodiscard]] std::expected<std::size_t, wire::Problem> page_limit(const Request& request,
                                                                   std::size_t most);

[[nodiscard]] Response json_response(int status, std::string body);
[[nodiscard]] Response problem_response(const wire::Problem& problem, std::string_view request_id);

}  // namespace strongroom::http

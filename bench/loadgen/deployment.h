// Deployment: what a load generator must know of a running deployment, from its sandbox.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"
#include "http/tls.h"

namespace strongroom::bench {

// Where a server listens, from "https://HOST:PORT".
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};
// invalid_argument: not of that form; IPv6 hosts stand in brackets.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view url);

struct Deployment {
  Endpoint edge;
  Endpoint vault;
  Endpoint authd;
  Endpoint processor;                                  // psp-sim
  std::shared_ptr<const http::TlsContext> tls;         // among services, as `loadgen`
  std::shared_ptr<const http::TlsContext> public_tls;  // for edged and psp-sim, as anyone
  std::string authorization;                           // the API key, as an Authorization field
};

// Reads `path` and the certificate files that it names. not_found, permission_denied, unavailable:
// a file; invalid_argument: not a sandbox.json of version 1, or a certificate that cannot be used.
[[nodiscard]] Result<Deployment> read_deployment(const std::string& path);

}  // namespace strongroom::bench

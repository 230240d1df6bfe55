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

// A service's certificate and key, as paths of PEM files.
struct IdentityFiles {
  std::string certificate;
  std::string key;
};
// What a side of mutual TLS needs to be that service, among peers below `ca_path`. Errors: of the
// files; invalid_argument: not a certificate.
[[nodiscard]] Result<http::TlsOptions> read_identity(const IdentityFiles& own,
                                                     const std::string& ca_path);
// A client of services as that one. Errors as read_identity, and of TlsContext::client.
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> client_as(const IdentityFiles& own,
                                                                        const std::string& ca_path);

struct Deployment {
  Endpoint edge;
  Endpoint vault;
  Endpoint authd;
  Endpoint processor;                                   // psp-sim
  std::shared_ptr<const http::TlsContext> tls;          // among services, as `loadgen`
  std::shared_ptr<const http::TlsContext> public_tls;   // for edged and psp-sim, as anyone
  std::shared_ptr<const http::TlsContext> gateway_tls;  // as gatewayd, who alone may resolve
  std::string ca_path{};                                // who signs the services' certificates
  std::string authorization;                            // the API key, as an Authorization field
};

// Reads `path` and the certificate files that it names; gateway_tls stays empty. not_found,
// permission_denied, unavailable: a file; invalid_argument: not a sandbox.json of version 1, or a
// certificate that cannot be used.
[[nodiscard]] Result<Deployment> read_deployment(const std::string& path);

}  // namespace strongroom::bench

// TlsContext's inside, for the files of http/ that speak to OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "http/tls.h"

namespace strongroom::http {

struct SslContextFree {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
struct SslFree {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

struct TlsContext::Impl {
  std::unique_ptr<SSL_CTX, SslContextFree> context;
  std::string trust_domain;  // empty: peers prove no SPIFFE identity
};

namespace internal {

// What one connection's verification needs, found through the SSL's application data.
struct PeerPolicy {
  std::string_view trust_domain;
  std::string_view identity;  // the one that is demanded; empty: any of the trust domain
};

// The SPIFFE identity of a certificate: it has exactly one URI name (SPIFFE X.509-SVID section 2),
// of this trust domain. Empty otherwise.
[[nodiscard]] std::string certificate_identity(X509* certificate, std::string_view trust_domain);

}  // namespace internal
}  // namespace strongroom::http

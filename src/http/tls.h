// TlsContext: one side's certificate, key and trust. TLS 1.3 only (RFC 8446), AES-GCM and
// ChaCha20-Poly1305, X25519 and P-256; no tickets, no resumption, no early data; OpenSSL wipes
// plaintext it has handed out.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::http {

// TlsOptions are PEM texts. Service certificates carry one URI name
// `spiffe://<trust_domain>/<identity>`; a peer with another trust domain or without such a name is
// refused in the handshake.
struct TlsOptions {
  std::string certificate_pem{};  // own chain, leaf first; empty for a client without one
  SecretBytes key_pem{};          // PKCS#8, not encrypted
  // Whom to believe. A server without it asks clients for no certificate; a client without it
  // believes the system's authorities (outside hosts).
  std::string ca_pem{};
  std::string trust_domain{};  // of the peers' SPIFFE names; needed with ca_pem
};

// A TlsContext is immutable and shared by the connections that were begun with it: a reload makes a
// new one and the old one ends with its last connection. Thread-safe.
class TlsContext {
 public:
  // invalid_argument: a PEM text that does not parse, a key that is not the certificate's, a
  // certificate outside its time, or a missing part.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(const TlsOptions& options);
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(const TlsOptions& options);
  // For a client of servers that no SPIFFE name but their host's name proves, below a CA that is
  // named: the public listener, processors, sinks of the audit log. `own` is the certificate and
  // key that the client shows; empty: none. invalid_argument.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client_of_hosts(
      std::string_view ca_pem, const TlsOptions& own = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  struct Impl;
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }  // for this module's own files

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// The identity in a SPIFFE URI of this trust domain ("vaultd", "connectord-stripe"): 1 to 64 of
// [a-z0-9-]. Empty when `uri` is anything else.
[[nodiscard]] std::string_view spiffe_identity(std::string_view uri,
                                               std::string_view trust_domain) noexcept;

}  // namespace strongroom::http

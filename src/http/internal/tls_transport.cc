// TLS over a non-blocking socket: OpenSSL reads and writes the socket itself, so a record is copied
// once.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>
#include <limits>

#include "base/try.h"
#include "http/internal/tls_impl.h"
#include "http/internal/transport.h"

namespace strongroom::http::internal {
namespace {

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE on a closed connection, and a
// library cannot decide how its process takes signals. This one sends with MSG_NOSIGNAL.
int fd_of(BIO* bio) noexcept {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int finish_io(BIO* bio, ssize_t size, int retry_flag) noexcept {
  BIO_clear_retry_flags(bio);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
  }
  return static_cast<int>(size);
}

int bio_read(BIO* bio, char* into, int size) {
  return finish_io(bio, ::recv(fd_of(bio), into, static_cast<std::size_t>(size), 0),
                   BIO_FLAGS_READ);
}

int bio_write(BIO* bio, const char* bytes, int size) {
  return finish_io(bio, ::send(fd_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL),
                   BIO_FLAGS_WRITE);
}

long bio_ctrl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// Made once and never freed: connections of static lifetime may be destroyed after any static.
BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    SR_CHECK(made != nullptr);
    BIO_meth_set_read(made, &bio_read);
    BIO_meth_set_write(made, &bio_write);
    BIO_meth_set_ctrl(made, &bio_ctrl);
    return made;
  }();
  return method;
}

// Alerts by which a peer says that it does not take our certificate (RFC 8446 section 6.2). In
// TLS 1.3 they come after our handshake has ended, instead of the first answer.
bool is_certificate_alert(int reason) noexcept {
  switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_HANDSHAKE_FAILURE:
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return reason == SSL_R_CERTIFICATE_VERIFY_FAILED;
  }
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(std::shared_ptr<const TlsContext> context, Expectation expectation)
      : context_(std::move(context)),
        expectation_(std::move(expectation)),
        policy_{.trust_domain = context_->impl().trust_domain, .identity = expectation_.identity},
        ssl_(SSL_new(context_->impl().context.get())) {}

  [[nodiscard]] bool open(int fd, bool server) {
    if (!ssl_) return false;
    BIO* bio = BIO_new(socket_method());
    if (bio == nullptr) return false;
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);  // takes the one reference
    SSL_set_app_data(ssl_.get(), &policy_);
    if (server) {
      SSL_set_accept_state(ssl_.get());
      return true;
    }
    SSL_set_connect_state(ssl_.get());
    if (!policy_.trust_domain.empty()) return true;  // checked by its SPIFFE name
    return expect_host();
  }

  IoStatus handshake() override {
    ERR_clear_error();
    return status_of(SSL_do_handshake(ssl_.get()));
  }

  Io read(std::span<std::byte> into) override {
    Io io;
    ERR_clear_error();
    io.status = status_of(SSL_read_ex(ssl_.get(), into.data(), into.size(), &io.size));
    return io;
  }

  Io write(std::span<const std::byte> bytes) override {
    Io io;
    ERR_clear_error();
    io.status = status_of(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &io.size));
    return io;
  }

  bool has_pending() const override { return SSL_has_pending(ssl_.get()) == 1; }

  void finish_writing() override {
    ERR_clear_error();
    if (!broken_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

  std::string peer_identity() const override {
    X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return {};
    return certificate_identity(certificate, policy_.trust_domain);
  }

 private:
  // The certificate must name the host (RFC 9110 section 4.3.4); an address is not a name to ask
  // for.
  bool expect_host() {
    char* host = expectation_.host.data();
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host) == 1) return true;
    constexpr int kName = TLSEXT_NAMETYPE_host_name;
    return SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, kName, host) == 1 &&
           SSL_set1_host(ssl_.get(), host) == 1;
  }

  IoStatus status_of(int result) {
    if (result == 1) return IoStatus::done;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return IoStatus::want_read;
      case SSL_ERROR_WANT_WRITE:
        return IoStatus::want_write;
      case SSL_ERROR_ZERO_RETURN:
        return IoStatus::closed;
      default:
        break;
    }
    broken_ = true;  // OpenSSL forbids any further call but SSL_free
    const int reason = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return is_certificate_alert(reason) ? IoStatus::refused : IoStatus::failed;
  }

  std::shared_ptr<const TlsContext> context_;  // a reload must not end the contexts in use
  Expectation expectation_;
  PeerPolicy policy_;
  std::unique_ptr<SSL, SslFree> ssl_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Transport> tls_server_transport(int fd, std::shared_ptr<const TlsContext> context) {
  auto transport = std::make_unique<TlsTransport>(std::move(context), Expectation{});
  if (!transport->open(fd, true)) return nullptr;
  return transport;
}

std::unique_ptr<Transport> tls_client_transport(int fd, std::shared_ptr<const TlsContext> context,
                                                Expectation expectation) {
  auto transport = std::make_unique<TlsTransport>(std::move(context), std::move(expectation));
  if (!transport->open(fd, false)) return nullptr;
  return transport;
}

}  // namespace strongroom::http::internal

// Making TLS contexts, and the check of a peer's SPIFFE name inside OpenSSL's own verification.
#include "http/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/try.h"
#include "http/internal/tls_impl.h"

namespace strongroom::http {
namespace {

constexpr std::size_t kIdentitySizeMax = 64;

template <class T, void (*release)(T*)>
struct Free {
  void operator()(T* object) const noexcept { release(object); }
};
void free_bio(BIO* bio) noexcept { BIO_free(bio); }
void free_names(GENERAL_NAMES* names) noexcept { GENERAL_NAMES_free(names); }
using BioPtr = std::unique_ptr<BIO, Free<BIO, &free_bio>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509, &X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, &EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES, &free_names>>;

BioPtr bio_of(const void* data, std::size_t size) {
  return BioPtr(BIO_new_mem_buf(data, static_cast<int>(size)));
}

// The certificates of a PEM text, in order; empty when one does not parse.
std::vector<CertificatePtr> parse_certificates(std::string_view pem) {
  const BioPtr bio = bio_of(pem.data(), pem.size());
  std::vector<CertificatePtr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) certificates.clear();
  return certificates;
}

Result<void> use_certificate(SSL_CTX* context, const TlsOptions& options) {
  const auto chain = parse_certificates(options.certificate_pem);
  if (chain.empty()) return fail({ErrorCode::invalid_argument, "the certificate does not parse"});
  X509* leaf = chain.front().get();
  if (X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0 ||
      X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0) {
    return fail({ErrorCode::invalid_argument, "the certificate is outside its time"});
  }
  bool used = SSL_CTX_use_certificate(context, leaf) == 1;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    used = used && SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  if (!used) return fail({ErrorCode::invalid_argument, "the certificate cannot be used"});
  return {};
}

Result<void> use_key(SSL_CTX* context, const SecretBytes& pem) {
  const auto bytes = pem.reveal();
  const BioPtr bio = bio_of(bytes.data(), bytes.size());
  // No password callback may ask the terminal: an encrypted key does not parse.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return fail({ErrorCode::invalid_argument, "the private key does not parse"});
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return fail({ErrorCode::invalid_argument, "the private key is not the certificate's"});
  }
  return {};
}

// Runs after each certificate of the chain; the leaf comes last (depth 0).
int verify_peer(int chain_is_good, X509_STORE_CTX* store) {
  if (chain_is_good == 0 || X509_STORE_CTX_get_error_depth(store) != 0) return chain_is_good;
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* policy = static_cast<const internal::PeerPolicy*>(SSL_get_app_data(ssl));
  const std::string identity =
      internal::certificate_identity(X509_STORE_CTX_get_current_cert(store), policy->trust_domain);
  if (!identity.empty() && (policy->identity.empty() || policy->identity == identity)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// Chains must end in a certificate of `ca_pem`.
Result<void> believe(SSL_CTX* context, std::string_view ca_pem, bool server) {
  const auto authorities = parse_certificates(ca_pem);
  if (authorities.empty()) {
    return fail({ErrorCode::invalid_argument, "the CA's certificate does not parse"});
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) {
      return fail({ErrorCode::invalid_argument, "a CA certificate cannot be used"});
    }
    // The names a server offers help clients with several certificates to choose.
    if (server) SSL_CTX_add_client_CA(context, authority.get());
  }
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
  return {};
}

// Peers must prove a SPIFFE name of the trust domain.
Result<void> trust(SSL_CTX* context, const TlsOptions& options, bool server) {
  if (options.trust_domain.empty()) {
    return fail({ErrorCode::invalid_argument, "no trust domain is set"});
  }
  SR_CHECK_OK(believe(context, options.ca_pem, server));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &verify_peer);
  return {};
}

Result<std::unique_ptr<SSL_CTX, SslContextFree>> new_context(const SSL_METHOD* method) {
  std::unique_ptr<SSL_CTX, SslContextFree> context(SSL_CTX_new(method));
  if (!context) return fail({ErrorCode::exhausted, "no memory for a TLS context"});
  SSL_CTX* raw = context.get();
  SSL_CTX_set_options(raw, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Not SSL_MODE_RELEASE_BUFFERS: to get, wipe and give back 16 KiB twice per request costs an
  // eighth of what a request costs. What a kept buffer holds is ciphertext: a record that was read
  // is cleansed (above), one that was written was encrypted in place.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);  // one recv takes header and payload of a record
  if (SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_num_tickets(raw, 0) != 1 || SSL_CTX_set1_groups_list(raw, "X25519:P-256") != 1) {
    return fail({ErrorCode::invalid_argument, "OpenSSL refuses our TLS settings"});
  }
  return context;
}

}  // namespace

std::string internal::certificate_identity(X509* certificate, std::string_view trust_domain) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string_view uri;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (!uri.empty()) return {};
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uri = {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
           static_cast<std::size_t>(ASN1_STRING_length(text))};
  }
  return std::string(spiffe_identity(uri, trust_domain));
}

std::string_view spiffe_identity(std::string_view uri, std::string_view trust_domain) noexcept {
  constexpr std::string_view kScheme = "spiffe://";
  if (trust_domain.empty() || !uri.starts_with(kScheme)) return {};
  uri.remove_prefix(kScheme.size());
  if (!uri.starts_with(trust_domain)) return {};
  uri.remove_prefix(trust_domain.size());
  if (!uri.starts_with('/')) return {};
  uri.remove_prefix(1);
  const bool plain = std::ranges::all_of(
      uri, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  return plain && uri.size() <= kIdentitySizeMax ? uri : std::string_view{};
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsOptions& options) {
  auto impl = std::make_unique<Impl>();
  SR_TRY(impl->context, new_context(TLS_server_method()));
  SR_CHECK_OK(use_certificate(impl->context.get(), options));
  SR_CHECK_OK(use_key(impl->context.get(), options.key_pem));
  if (!options.ca_pem.empty()) {
    SR_CHECK_OK(trust(impl->context.get(), options, true));
    impl->trust_domain = options.trust_domain;
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsOptions& options) {
  auto impl = std::make_unique<Impl>();
  SR_TRY(impl->context, new_context(TLS_client_method()));
  if (!options.certificate_pem.empty()) {
    SR_CHECK_OK(use_certificate(impl->context.get(), options));
    SR_CHECK_OK(use_key(impl->context.get(), options.key_pem));
  }
  if (!options.ca_pem.empty()) {
    SR_CHECK_OK(trust(impl->context.get(), options, false));
    impl->trust_domain = options.trust_domain;
  } else {
    SSL_CTX_set_verify(impl->context.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_set_default_verify_paths(impl->context.get()) != 1) {
      return fail({ErrorCode::invalid_argument, "the system's authorities cannot be read"});
    }
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client_of_hosts(std::string_view ca_pem,
                                                                      const TlsOptions& own) {
  auto impl = std::make_unique<Impl>();
  SR_TRY(impl->context, new_context(TLS_client_method()));
  if (!own.certificate_pem.empty()) {
    SR_CHECK_OK(use_certificate(impl->context.get(), own));
    SR_CHECK_OK(use_key(impl->context.get(), own.key_pem));
  }
  SR_CHECK_OK(believe(impl->context.get(), ca_pem, false));
  SSL_CTX_set_verify(impl->context.get(), SSL_VERIFY_PEER, nullptr);
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

}  // namespace strongroom::http

// Reading sandbox.json. The trust domain is that of the client certificate itself.
#include "loadgen/deployment.h"

#include <boost/json/value.hpp>
#include <charconv>
#include <utility>

#include "base/file.h"
#include "base/try.h"
#include "crypto/certificate.h"
#include "wire/json.h"

namespace strongroom::bench {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10;
constexpr Error kBadState{ErrorCode::invalid_argument, "not a sandbox.json of version 1"};

Result<std::string> text_at(const boost::json::object& state, std::string_view key) {
  const boost::json::value* value = state.if_contains(key);
  if (value == nullptr || !value->is_string()) return fail(kBadState);
  return std::string(value->get_string());
}

Result<Endpoint> endpoint_at(const boost::json::object& state, std::string_view key) {
  SR_TRY(const std::string url, text_at(state, key));
  return parse_endpoint(url);
}

// "spiffe://DOMAIN/loadgen" -> "DOMAIN".
std::string trust_domain_of(std::string_view spiffe) {
  spiffe.remove_prefix(std::min(spiffe.size(), std::string_view("spiffe://").size()));
  return std::string(spiffe.substr(0, spiffe.find('/')));
}

Result<std::shared_ptr<const http::TlsContext>> service_tls(const boost::json::object& state,
                                                            const std::string& ca_path) {
  IdentityFiles own;
  SR_TRY(own.certificate, text_at(state, "client_cert"));
  SR_TRY(own.key, text_at(state, "client_key"));
  return client_as(own, ca_path);
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  constexpr Error kBadUrl{ErrorCode::invalid_argument, "a URL is not https://HOST:PORT"};
  if (!url.starts_with(kScheme)) return fail(kBadUrl);
  url.remove_prefix(kScheme.size());
  const std::size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) return fail(kBadUrl);
  std::string_view host = url.substr(0, colon);
  const std::string_view digits = url.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Endpoint endpoint{.host = std::string(host)};
  const auto parsed = std::from_chars(digits.begin(), digits.end(), endpoint.port);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.end() || endpoint.port == 0 ||
      host.empty()) {
    return fail(kBadUrl);
  }
  return endpoint;
}

Result<http::TlsOptions> read_identity(const IdentityFiles& own, const std::string& ca_path) {
  http::TlsOptions options;
  SR_TRY(options.ca_pem, read_file(ca_path, kFileBytesMax));
  SR_TRY(options.certificate_pem, read_file(own.certificate, kFileBytesMax));
  SR_TRY(options.key_pem, read_secret_file(own.key, kFileBytesMax));
  SR_TRY(const auto described, crypto::describe_certificate(options.certificate_pem));
  options.trust_domain = trust_domain_of(described.spiffe);
  return options;
}

Result<std::shared_ptr<const http::TlsContext>> client_as(const IdentityFiles& own,
                                                          const std::string& ca_path) {
  SR_TRY(const http::TlsOptions options, read_identity(own, ca_path));
  return http::TlsContext::client(options);
}

Result<Deployment> read_deployment(const std::string& path) {
  SR_TRY(const SecretBytes file, read_secret_file(path, kFileBytesMax));
  const auto bytes = file.reveal();
  const auto parsed =
      wire::parse_strict({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, {});
  if (!parsed || !parsed->is_object()) return fail(kBadState);
  const boost::json::object& state = parsed->get_object();
  const boost::json::value* version = state.if_contains("version");
  if (version == nullptr || *version != 1) return fail(kBadState);
  Deployment deployment;
  SR_TRY(deployment.edge, endpoint_at(state, "gateway_url"));
  SR_TRY(deployment.vault, endpoint_at(state, "vault_url"));
  SR_TRY(deployment.authd, endpoint_at(state, "authd_url"));
  const boost::json::value* simulator = state.if_contains("psp_sim");
  if (simulator == nullptr || !simulator->is_object()) return fail(kBadState);
  SR_TRY(deployment.processor, endpoint_at(simulator->get_object(), "url"));
  SR_TRY(deployment.ca_path, text_at(state, "ca_cert"));
  SR_TRY(const std::string ca_pem, read_file(deployment.ca_path, kFileBytesMax));
  SR_TRY(deployment.tls, service_tls(state, deployment.ca_path));
  SR_TRY(deployment.public_tls, http::TlsContext::client_of_hosts(ca_pem));
  SR_TRY(const std::string api_key, text_at(state, "api_key"));
  deployment.authorization = "Bearer " + api_key;
  return deployment;
}

}  // namespace strongroom::bench

// edged's worker: listen, pass on, drain.
#include "apps/edged/worker.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::edged {
namespace {

constexpr std::chrono::seconds kServerPatience{5};
constexpr std::size_t kVaultConnectionsMax = 64;  // card requests wait on the database, not on us
// As at vaultd: a card that waits is a card in memory. More than come in time are shed.
constexpr std::chrono::milliseconds kCardTurnTimeout{100};
constexpr std::size_t kGatewayConnectionsMax = 256;  // payments wait on processors
// Above what gatewayd gives a connector: its word on a payment, `unknown` included, comes first.
constexpr std::chrono::seconds kPaymentTimeout{60};
// Several merchants' shares: what each may have under way takes one each.
constexpr std::size_t kRelayConnectionsMax = 8 * cde::Edge::kAuditRequestsPerMerchantMax;
// A bundle of 256 of the longest entries.
constexpr std::size_t kAuditBytesMax = (std::size_t{4} << 20) + (std::size_t{64} << 10);
constexpr std::size_t kAuthConnectionsMax = 4;  // a ticket serves a credential for a second

http::ClientOptions client_options(const service::Address& where, std::string_view identity,
                                   std::size_t connections,
                                   std::shared_ptr<const http::TlsContext> tls) {
  return {.host = where.host,
          .port = where.port,
          .server_identity = std::string(identity),
          .tls = std::move(tls),
          .connections_max = connections};
}

http::ClientGroup::Members vaultd_clients(async::Loop& loop, const Config& config,
                                          const std::shared_ptr<const http::TlsContext>& tls) {
  http::ClientGroup::Members members;
  for (const auto& [name, address] : config.vaultds) {
    http::ClientOptions options = client_options(address, "vaultd", kVaultConnectionsMax, tls);
    options.turn_timeout = kCardTurnTimeout;
    members.emplace(name, std::make_unique<http::Client>(loop, std::move(options)));
  }
  return members;
}

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               const std::shared_ptr<const http::TlsContext>& inner_tls)
    : loop_(loop),
      shared_(shared),
      index_(index),
      authd_(loop, client_options(shared.config.authd, "authd", kAuthConnectionsMax, inner_tls)),
      vaultds_(vaultd_clients(loop, shared.config, inner_tls)),
      edge_(authd_, vaultds_) {
  edge_.add_routes(router_);
  if (shared.config.gatewayd) {
    http::ClientOptions options =
        client_options(*shared.config.gatewayd, "gatewayd", kGatewayConnectionsMax, inner_tls);
    options.response_timeout = kPaymentTimeout;
    gatewayd_.emplace(loop, std::move(options));
    edge_.add_payment_routes(router_, *gatewayd_);
  }
  if (shared.config.audit_relay) {
    http::ClientOptions options =
        client_options(*shared.config.audit_relay, "audit-relay", kRelayConnectionsMax, inner_tls);
    options.response_bytes_max = kAuditBytesMax;
    audit_relay_.emplace(loop, std::move(options));
    edge_.add_audit_routes(router_, *audit_relay_);
  }
}

async::Task<Result<void>> Worker::start() {
  if (index_ == 0) SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  SR_CO_TRY(auto tls, service::load_public_tls(shared_.config.public_tls));
  const service::Address& listen = shared_.config.listen;
  SR_CO_TRY(server_, http::Server::listen_tcp(loop_, {listen.host, listen.port}, std::move(tls),
                                              router_, {}));
  co_return Result<void>{};
}

async::Task<void> Worker::drain() {
  if (server_) co_await server_->drain(kServerPatience);
  co_await authd_.close();
  co_await vaultds_.close();
  if (gatewayd_) co_await gatewayd_->close();
  if (audit_relay_) co_await audit_relay_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[edged] not taken over", {{"reason", config.error().text()}});
  const Config& places = config ? *config : shared_.config;
  const bool outer = renew_public(places);
  const bool inner = renew_inner(deployment, places);
  return config && outer && inner;
}

bool Worker::renew_public(const Config& places) {
  const auto tls = service::load_public_tls(places.public_tls);
  if (!tls) {
    log::warn("public certificate not taken over", {{"error", tls.error()}});
  } else if (server_) {
    server_->set_tls(*tls);
  }
  return tls.has_value();
}

bool Worker::renew_inner(const service::Deployment& deployment, const Config& places) {
  const auto tls = service::load_client_tls(deployment, places.tls);
  if (!tls) {
    log::warn("certificate not taken over", {{"error", tls.error()}});
    return false;
  }
  authd_.set_tls(*tls);
  vaultds_.set_tls(*tls);
  if (gatewayd_) gatewayd_->set_tls(*tls);
  if (audit_relay_) audit_relay_->set_tls(*tls);
  return true;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("listener", server_ != nullptr, "not listening");
}

}  // namespace strongroom::edged

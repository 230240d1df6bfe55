// gatewayd's worker: recover, listen, serve, settle, drain.
#include "apps/gatewayd/worker.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "connected/gateway/schema.h"
#include "service/neighbors.h"
#include "storage/migrations.h"

namespace strongroom::gatewayd {
namespace {

constexpr std::chrono::milliseconds kStopStep{5};
// A processor may take its time; what takes longer is unknown, and settled. Below kPendingUs.
constexpr std::chrono::seconds kConnectorTimeout{40};
constexpr std::size_t kConnectionsMax = 64;

http::ClientOptions client_options(const service::Address& where, std::string identity,
                                   std::shared_ptr<const http::TlsContext> tls) {
  return {.host = where.host,
          .port = where.port,
          .server_identity = std::move(identity),
          .tls = std::move(tls),
          .connections_max = kConnectionsMax};
}

connected::gateway::HttpConnectors::Clients connector_clients(
    async::Loop& loop, const Config& config, const std::shared_ptr<const http::TlsContext>& tls) {
  connected::gateway::HttpConnectors::Clients clients;
  for (const auto& [name, address] : config.connectors) {
    http::ClientOptions options = client_options(address, "connectord-" + name, tls);
    options.response_timeout = kConnectorTimeout;
    clients.emplace(name, std::make_unique<http::Client>(loop, std::move(options)));
  }
  return clients;
}

http::ClientGroup::Members vaultd_clients(async::Loop& loop, const Config& config,
                                          const std::shared_ptr<const http::TlsContext>& tls) {
  http::ClientGroup::Members members;
  for (const auto& [name, address] : config.vaultds) {
    members.emplace(name,
                    std::make_unique<http::Client>(loop, client_options(address, "vaultd", tls)));
  }
  return members;
}

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::unique_ptr<storage::Database> database, http::TicketVerifier verifier,
               const std::shared_ptr<const http::TlsContext>& client_tls)
    : loop_(loop),
      shared_(shared),
      index_(index),
      database_(std::move(database)),
      audit_(loop, shared.host, shared.auditd_uid, shared.random, shared.clock),
      vaultds_(vaultd_clients(loop, shared.config, client_tls)),
      connectord_(connector_clients(loop, shared.config, client_tls)),
      vault_(vaultds_),
      connectors_(connectord_),
      store_(loop, *database_),
      accounts_(*database_, shared.clock),
      desk_({.loop = loop,
             .accounts = accounts_,
             .recorder = audit_.client(),
             .random = shared.random,
             .clock = shared.clock,
             .commit_lag_max = shared.config.database.commit_lag_max}),
      payments_({.store = store_,
                 .accounts = accounts_,
                 .vault = vault_,
                 .connectors = connectors_,
                 .random = shared.random,
                 .clock = shared.clock,
                 .instance = shared.host.deployment.instance}),
      settler_({.loop = loop,
                .store = store_,
                .accounts = accounts_,
                .connectors = connectors_,
                .random = shared.random,
                .clock = shared.clock,
                .metrics = shared.metrics,
                .instance = shared.host.deployment.instance}),
      listener_(loop, std::move(verifier)) {
  add_service_routes(listener_.router(), parts());
}

connected::gateway::RouteParts Worker::parts() noexcept {
  return {.serving = recovered_,
          .payments = payments_,
          .store = store_,
          .accounts = accounts_,
          .desk = desk_,
          .denials = audit_.denials()};
}

void Worker::add_admin_routes(http::Router& router) {
  connected::gateway::add_operator_routes(router, parts());
}

async::Task<Result<void>> Worker::start() {
  if (index_ == 0) SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  SR_CO_CHECK_OK(
      co_await service::repeat_until_done(loop_, stopping_, [this] { return recover(); }));
  if (stopping_) co_return Result<void>{};
  recovered_ = true;
  if (index_ == 0) async::spawn(settle());
  co_return listener_.open(shared_.host.deployment, shared_.config.listen,
                           shared_.config.credentials);
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known =
      co_await storage::check_schema(*database_, connected::gateway::migrations());
  if (!known || index_ != 0) co_return known;
  SR_CO_CHECK_OK(co_await desk_.recover());
  const auto lost =
      co_await store_.lose_open(shared_.host.deployment.instance, shared_.clock.now_us());
  if (!lost) co_return fail(lost.error());
  if (*lost > 0) log::warn("payments of an earlier run are unknown", {{"count", *lost}});
  co_return co_await audit_.record_start();
}

async::Task<void> Worker::settle() {
  settling_ = true;
  co_await settler_.run();
  settling_ = false;
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  settler_.stop();
  desk_.stop();
  co_await listener_.drain();
  while (settling_) co_await loop_.sleep_for(kStopStep);
  co_await vaultds_.close();
  for (auto& [name, client] : connectord_) co_await client->close();
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[gatewayd] not taken over", {{"reason", config.error().text()}});
  const service::Credentials& credentials =
      config ? config->credentials : shared_.config.credentials;
  const auto tls = service::load_client_tls(deployment, credentials);
  if (tls) {  // else the listener says why
    vaultds_.set_tls(*tls);
    for (auto& [name, client] : connectord_) client->set_tls(*tls);
  }
  return listener_.reload(deployment, credentials) && config;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("disk", database_->has_room(), "the database's disk is full");
  audit_.readiness(readiness);
  readiness.add("recovery", recovered_, "what an earlier run left is not taken over yet");
}

}  // namespace strongroom::gatewayd

// gatewayd's worker: recover, listen, serve, settle, drain.
#include "apps/gatewayd/worker.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "connected/gateway/schema.h"
#include "storage/migrations.h"

namespace strongroom::gatewayd {
namespace {

constexpr std::chrono::milliseconds kRetryStep{100};
constexpr std::chrono::seconds kServerPatience{5};
constexpr std::chrono::seconds kAuditPatience{2};
constexpr std::chrono::milliseconds kStopStep{5};
// A processor may take its time; what takes longer is unknown, and settled. Below kPendingUs.
constexpr std::chrono::seconds kConnectorTimeout{40};
constexpr std::size_t kConnectionsMax = 64;

// What passes by itself: a neighbor that is not there yet.
bool may_pass(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::exhausted;
}

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

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::unique_ptr<storage::Database> database, http::TicketVerifier verifier,
               const std::shared_ptr<const http::TlsContext>& client_tls)
    : loop_(loop),
      shared_(shared),
      index_(index),
      database_(std::move(database)),
      audit_(loop, shared.clock,
             {.socket_path = shared.host.deployment.audit_socket_path(),
              .instance = shared.host.deployment.instance,
              .auditd_uid = shared.auditd_uid}),
      denials_(loop, audit_, shared.random, shared.clock),
      verifier_(std::move(verifier)),
      vaultd_(loop, client_options(shared.config.vaultd, "vaultd", client_tls)),
      connectord_(connector_clients(loop, shared.config, client_tls)),
      vault_(vaultd_),
      connectors_(connectord_),
      store_(loop, *database_),
      accounts_(*database_, shared.clock),
      desk_({.loop = loop,
             .accounts = accounts_,
             .recorder = audit_,
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
                .metrics = shared.metrics}) {
  router_.set_ticket_verifier(verifier_);
  add_service_routes(router_, parts());
}

connected::gateway::RouteParts Worker::parts() noexcept {
  return {.serving = recovered_,
          .payments = payments_,
          .store = store_,
          .accounts = accounts_,
          .desk = desk_,
          .denials = denials_};
}

void Worker::add_admin_routes(http::Router& router) {
  connected::gateway::add_operator_routes(router, parts());
}

async::Task<Result<void>> Worker::start() {
  if (index_ == 0) SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  Result<void> recovered = co_await recover();
  while (!recovered && may_pass(recovered.error()) && !stopping_) {
    co_await loop_.sleep_for(kRetryStep);
    recovered = co_await recover();
  }
  if (stopping_) co_return Result<void>{};
  SR_CO_CHECK_OK(recovered);
  recovered_ = true;
  if (index_ == 0) async::spawn(settle());
  co_return listen();
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known =
      co_await storage::check_schema(*database_, connected::gateway::migrations());
  if (!known || index_ != 0) co_return known;
  SR_CO_CHECK_OK(co_await desk_.recover());
  const auto lost =
      co_await store_.lose_pending(shared_.host.deployment.instance, shared_.clock.now_us());
  if (!lost) co_return fail(lost.error());
  if (*lost > 0) log::warn("payments of an earlier run are unknown", {{"count", *lost}});
  const audit::Entry entry = lifecycle_entry(audit::EventType::service_start);
  co_return co_await audit_.record(entry);
}

audit::Entry Worker::lifecycle_entry(audit::EventType type) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(shared_.random, shared_.clock);
  entry.event_type = type;
  entry.outcome = audit::Outcome::success;
  entry.time_us = shared_.clock.now_us();
  return entry;
}

Result<void> Worker::listen() {
  SR_TRY(auto tls, service::load_server_tls(shared_.host.deployment, shared_.config.credentials));
  SR_TRY(server_,
         http::Server::listen_tcp(loop_, {shared_.config.listen.host, shared_.config.listen.port},
                                  std::move(tls), router_, {}));
  return {};
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
  if (server_) co_await server_->drain(kServerPatience);
  while (settling_) co_await loop_.sleep_for(kStopStep);
  co_await vaultd_.close();
  for (auto& [name, client] : connectord_) co_await client->close();
  co_await denials_.close();
  if (index_ == 0 && recovered_) audit_.send(lifecycle_entry(audit::EventType::service_stop));
  static_cast<void>(co_await audit_.drain(kAuditPatience));
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[gatewayd] not taken over", {{"reason", config.error().text()}});
  const bool renewed =
      renew_tls(deployment, config ? config->credentials : shared_.config.credentials);
  const auto lines = service::load_ticket_keys(deployment);
  const Result<void> reloaded = lines ? verifier_.reload(*lines) : fail(lines.error());
  if (!reloaded) log::warn("ticket keys not taken over", {{"error", reloaded.error()}});
  return config && renewed && reloaded;
}

bool Worker::renew_tls(const service::Deployment& deployment,
                       const service::Credentials& credentials) {
  const auto server_tls = service::load_server_tls(deployment, credentials);
  const auto client_tls = service::load_client_tls(deployment, credentials);
  if (!server_tls || !client_tls) {
    const Error error = server_tls ? client_tls.error() : server_tls.error();
    log::warn("certificate not taken over", {{"error", error}});
    return false;
  }
  if (server_) server_->set_tls(*server_tls);
  vaultd_.set_tls(*client_tls);
  for (auto& [name, client] : connectord_) client->set_tls(*client_tls);
  return true;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("auditd", audit_.ready(), "not reached");
  readiness.add("recovery", recovered_, "what an earlier run left is not taken over yet");
}

}  // namespace strongroom::gatewayd

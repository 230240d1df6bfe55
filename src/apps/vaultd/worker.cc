// vaultd's worker: recover, listen, serve, drain.
#include "apps/vaultd/worker.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "cde/keys/key_registry.h"
#include "cde/vault/card_routes.h"
#include "storage/migrations.h"

namespace strongroom::vaultd {
namespace {

constexpr std::chrono::milliseconds kRetryStep{100};
constexpr std::chrono::seconds kWatchStep{1};
constexpr std::chrono::seconds kServerPatience{5};
constexpr std::chrono::seconds kAuditPatience{2};

// A processor may take its time; gatewayd waits longer.
constexpr std::chrono::seconds kConnectorTimeout{30};
constexpr std::size_t kConnectionsMax = 64;

cde::HttpStoredCards::Clients connectors(async::Loop& loop, const Config& config,
                                         const std::shared_ptr<const http::TlsContext>& tls) {
  cde::HttpStoredCards::Clients clients;
  for (const auto& [name, address] : config.connectors) {
    http::ClientOptions options{.host = address.host,
                                .port = address.port,
                                .server_identity = "connectord-" + name,
                                .tls = tls,
                                .connections_max = kConnectionsMax,
                                .response_timeout = kConnectorTimeout};
    clients.emplace(name, std::make_unique<http::Client>(loop, std::move(options)));
  }
  return clients;
}

// What passes by itself: a neighbor that is not there yet, or was lost; each step may be repeated.
bool may_pass(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::exhausted ||
         error.code() == ErrorCode::unknown_outcome;
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
      cards_(loop, *database_),
      processor_tokens_(*database_),
      stored_cards_(connectors(loop, shared.config, client_tls)),
      keys_(loop, shared.hsm.keys(), shared.hsm.calls(), shared.random),
      vault_({.loop = loop,
              .cards = cards_,
              .processor_tokens = processor_tokens_,
              .stored_cards = stored_cards_,
              .keys = keys_,
              .codes = shared.codes,
              .probes = shared.probes,
              .recorder = audit_,
              .random = shared.random,
              .clock = shared.clock,
              .commit_lag_max = shared.config.database.commit_lag_max}),
      removals_({.loop = loop,
                 .store = processor_tokens_,
                 .stored_cards = stored_cards_,
                 .recorder = audit_,
                 .random = shared.random,
                 .clock = shared.clock}) {
  router_.set_ticket_verifier(verifier_);
  router_.on_denied([this](const http::Request& request, const wire::Problem&) {
    return record_denial(request);
  });
  cde::add_card_routes(router_, vault_, shared.host.deployment.profile, shared.clock);
}

async::Task<bool> Worker::record_denial(const http::Request& request) {
  audit::Denial denial{.source_ip = request.peer().source,
                       .user = request.peer().identity,
                       .merchant_id = {},
                       .operation = std::string(http::to_string(request.method())) + " /v1/cards",
                       .request_id = std::string(request.request_id())};
  const Result<void> recorded = co_await denials_.record(std::move(denial));
  co_return recorded.has_value();
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
  if (index_ == 0) {
    async::spawn(sweep_codes());
    async::spawn(removals_.run());
  }
  async::spawn(watch_hsm());
  co_return listen();
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known = co_await storage::check_schema(*database_, cde::vault_migrations());
  if (!known || index_ != 0) co_return known;
  SR_CO_CHECK_OK(co_await cde::check_registered(*database_, shared_.hsm.keys(), shared_.clock));
  const Result<void> closed = co_await vault_.close_open_intents();
  SR_CO_CHECK_OK(closed);
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
  SR_TRY(auto tls, service::load_server_tls(shared_.host.deployment, shared_.config.tls));
  const service::Address& listen = shared_.config.listen;
  SR_TRY(server_,
         http::Server::listen_tcp(loop_, {listen.host, listen.port}, std::move(tls), router_, {}));
  return {};
}

async::Task<void> Worker::sweep_codes() {
  while (!stopping_) {
    shared_.codes.sweep(std::chrono::steady_clock::now());
    co_await loop_.sleep_for(kWatchStep);
  }
}

// A task of its own: an HSM that hangs must not keep codes.
async::Task<void> Worker::watch_hsm() {
  while (!stopping_) {
    asking_hsm_ = true;
    co_await keys_.check();
    asking_hsm_ = false;
    co_await loop_.sleep_for(kWatchStep);
  }
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  vault_.stop();
  removals_.stop();
  if (server_) co_await server_->drain(kServerPatience);
  while (asking_hsm_ || removals_.busy()) co_await loop_.sleep_for(kRetryStep);
  co_await stored_cards_.close();
  co_await denials_.close();
  if (index_ == 0 && recovered_) audit_.send(lifecycle_entry(audit::EventType::service_stop));
  // What auditd did not take stays an open intent, which the next start closes.
  static_cast<void>(co_await audit_.drain(kAuditPatience));
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[vaultd] not taken over", {{"reason", config.error().text()}});
  const auto tls = service::load_server_tls(deployment, config ? config->tls : shared_.config.tls);
  if (!tls) {
    log::warn("certificate not taken over", {{"error", tls.error()}});
  } else if (server_) {
    server_->set_tls(*tls);
  }
  const auto client_tls =
      service::load_client_tls(deployment, config ? config->tls : shared_.config.tls);
  if (client_tls) stored_cards_.set_tls(*client_tls);  // else `tls` has said why
  const auto lines = service::load_ticket_keys(deployment);
  const Result<void> reloaded = lines ? verifier_.reload(*lines) : fail(lines.error());
  if (!reloaded) log::warn("ticket keys not taken over", {{"error", reloaded.error()}});
  return config && tls && reloaded;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("disk", database_->has_room(), "the database's disk is full");
  readiness.add("auditd", audit_.ready(), "not reached");
  readiness.add("hsm", keys_.hsm_answers(), "does not answer");
  if (shared_.config.hsm.software) readiness.warn("hsm: software, not a hardware module");
  readiness.add("recovery", recovered_, "open intents are not closed yet");
}

}  // namespace strongroom::vaultd

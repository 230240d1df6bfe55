// authd's worker: recover, listen, serve, drain.
#include "apps/authd/worker.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "connected/auth/schema.h"
#include "storage/migrations.h"

namespace strongroom::authd {
namespace {

constexpr std::chrono::milliseconds kRetryStep{100};
constexpr std::chrono::seconds kServerPatience{5};
constexpr std::chrono::seconds kAuditPatience{2};

// What passes by itself: a neighbor that is not there yet.
bool may_pass(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::exhausted;
}

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::unique_ptr<storage::Database> database, http::TicketVerifier verifier)
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
      directory_(*database_),
      authority_({.loop = loop,
                  .directory = directory_,
                  .recorder = audit_,
                  .random = shared.random,
                  .clock = shared.clock,
                  .profile = shared.host.deployment.profile,
                  .commit_lag_max = shared.config.database.commit_lag_max}),
      tickets_({.directory = directory_,
                .signer = shared.signer,
                .clock = shared.clock,
                .profile = shared.host.deployment.profile,
                .counters = shared.counters}) {
  router_.set_ticket_verifier(verifier_);
  add_service_routes(router_, parts(), shared.host.deployment.profile);
}

connected::auth::Parts Worker::parts() noexcept {
  return {.serving = recovered_,
          .directory = directory_,
          .authority = authority_,
          .tickets = tickets_,
          .denials = denials_};
}

void Worker::add_admin_routes(http::Router& router) {
  connected::auth::add_operator_routes(router, parts());
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
  co_return listen();
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known =
      co_await storage::check_schema(*database_, connected::auth::migrations());
  if (!known || index_ != 0) co_return known;
  const Result<void> closed = co_await authority_.recover();
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
  SR_TRY(auto tls, service::load_server_tls(shared_.host.deployment, shared_.config.credentials));
  SR_TRY(server_,
         http::Server::listen_tcp(loop_, {shared_.config.listen.host, shared_.config.listen.port},
                                  std::move(tls), router_, {}));
  return {};
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  authority_.stop();
  if (server_) co_await server_->drain(kServerPatience);
  co_await denials_.close();
  if (index_ == 0 && recovered_) audit_.send(lifecycle_entry(audit::EventType::service_stop));
  // What auditd did not take stays an open intent, which the next start closes.
  static_cast<void>(co_await audit_.drain(kAuditPatience));
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[authd] not taken over", {{"reason", config.error().text()}});
  const auto tls = service::load_server_tls(
      deployment, config ? config->credentials : shared_.config.credentials);
  if (!tls) {
    log::warn("certificate not taken over", {{"error", tls.error()}});
  } else if (server_) {
    server_->set_tls(*tls);
  }
  const auto lines = service::load_ticket_keys(deployment);
  const Result<void> reloaded = lines ? verifier_.reload(*lines) : fail(lines.error());
  if (!reloaded) log::warn("ticket keys not taken over", {{"error", reloaded.error()}});
  return config && tls && reloaded;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("disk", database_->has_room(), "the database's disk is full");
  readiness.add("auditd", audit_.ready(), "not reached");
  readiness.add("recovery", recovered_, "open intents are not closed yet");
}

}  // namespace strongroom::authd

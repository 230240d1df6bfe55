// authd's worker: recover, listen, serve, drain.
#include "apps/authd/worker.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "connected/auth/schema.h"
#include "service/neighbors.h"
#include "storage/migrations.h"

namespace strongroom::authd {
namespace {}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::unique_ptr<storage::Database> database, http::TicketVerifier verifier)
    : loop_(loop),
      shared_(shared),
      index_(index),
      database_(std::move(database)),
      audit_(loop, shared.host, shared.auditd_uid, shared.random, shared.clock),
      directory_(*database_),
      authority_({.loop = loop,
                  .directory = directory_,
                  .recorder = audit_.client(),
                  .random = shared.random,
                  .clock = shared.clock,
                  .profile = shared.host.deployment.profile,
                  .commit_lag_max = shared.config.database.commit_lag_max}),
      tickets_({.directory = directory_,
                .signer = shared.signer,
                .clock = shared.clock,
                .profile = shared.host.deployment.profile,
                .counters = shared.counters}),
      listener_(loop, std::move(verifier)) {
  add_service_routes(listener_.router(), parts(), shared.host.deployment.profile);
}

connected::auth::Parts Worker::parts() noexcept {
  return {.serving = recovered_,
          .directory = directory_,
          .authority = authority_,
          .tickets = tickets_,
          .denials = audit_.denials()};
}

void Worker::add_admin_routes(http::Router& router) {
  connected::auth::add_operator_routes(router, parts());
}

async::Task<Result<void>> Worker::start() {
  if (index_ == 0) SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  SR_CO_CHECK_OK(
      co_await service::repeat_until_done(loop_, stopping_, [this] { return recover(); }));
  if (stopping_) co_return Result<void>{};
  recovered_ = true;
  co_return listener_.open(shared_.host.deployment, shared_.config.listen,
                           shared_.config.credentials);
}

async::Task<Result<void>> Worker::recover() {
  const Result<void> known =
      co_await storage::check_schema(*database_, connected::auth::migrations());
  if (!known || index_ != 0) co_return known;
  const Result<void> closed = co_await authority_.recover();
  SR_CO_CHECK_OK(closed);
  co_return co_await audit_.record_start();
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  authority_.stop();
  co_await listener_.drain();
  co_await audit_.close();
  co_await database_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[authd] not taken over", {{"reason", config.error().text()}});
  const Config& places = config ? *config : shared_.config;
  return listener_.reload(deployment, places.credentials) && config;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("database", database_->ready(), "not reached");
  readiness.add("disk", database_->has_room(), "the database's disk is full");
  audit_.readiness(readiness);
  readiness.add("recovery", recovered_, "open intents are not closed yet");
}

}  // namespace strongroom::authd

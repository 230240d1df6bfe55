// audit-relay's worker: follow, listen, serve, drain.
#include "apps/audit_relay/worker.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "http/server.h"
#include "service/neighbors.h"

namespace strongroom::audit_relay {
namespace {

constexpr std::size_t kFileThreads = 2;
// What waits for one of them: as many requests as the listener takes, and our own work.
constexpr std::size_t kFileWorkMax = http::ServerLimits{}.requests_in_flight_max + 64;
constexpr std::chrono::milliseconds kStopStep{20};
constexpr std::chrono::milliseconds kSinkPatience{1'000};
constexpr std::chrono::milliseconds kLook{200};

// auditd's, that takes what witnesses say.
http::ClientOptions witness_socket(const Shared& shared) {
  return {.host = "localhost",
          .unix_path = shared.host.deployment.witness_socket_path(),
          .unix_users = {shared.auditd_uid}};
}

}  // namespace

Worker::Worker(async::Loop& loop, Shared& shared, std::unique_ptr<storage::Database> database,
               http::TicketVerifier verifier)
    : loop_(loop),
      shared_(shared),
      database_(std::move(database)),
      audit_(loop, shared.host, shared.auditd_uid, shared.random, shared.clock),
      pool_(kFileThreads, kFileWorkMax),
      logs_(files_, shared.config.directory),
      watch_({.loop = loop,
              .pool = pool_,
              .files = files_,
              .clock = shared.clock,
              .directory = shared.config.directory,
              .metrics = shared.watch}),
      witnesses_({.loop = loop,
                  .pool = pool_,
                  .files = files_,
                  .directory = shared.config.directory,
                  .watch = watch_,
                  .auditd = witness_socket(shared)},
                 make_witness_clients()),
      turns_(loop),
      index_(*database_),
      indexer_({.loop = loop,
                .pool = pool_,
                .files = files_,
                .directory = shared.config.directory,
                .watch = watch_,
                .index = index_,
                .lag = shared.index_lag}),
      failures_(audit_.client(), shared.random, shared.clock),
      listener_(loop, std::move(verifier)) {
  add_service_routes(listener_.router(), parts());
}

connected::relay::Witnesses::Clients Worker::make_witness_clients() {
  connected::relay::Witnesses::Clients clients;
  for (const auto& [name, where] : shared_.config.witnesses) {
    clients.push_back(
        std::make_unique<connected::relay::WitnessClient>(connected::relay::WitnessClient::Parts{
            .loop = loop_,
            .pool = pool_,
            .files = files_,
            .directory = shared_.config.directory,
            .place = shared_.host.deployment.trust_domain + "/auditd",
            .watch = watch_,
            .failing = shared_.host.metrics.gauge("strongroom_audit_witness_failing",
                                                  "1 while the witness does not cosign.",
                                                  {{"witness", name}}),
            .name = name,
            .witness = {.host = where.host, .port = where.port, .tls = shared_.witness_tls},
            .auditd = witness_socket(shared_)}));
  }
  return clients;
}

connected::relay::RouteParts Worker::parts() noexcept {
  return {.serving = recorded_,
          .stopping = stopping_,
          .loop = loop_,
          .pool = pool_,
          .logs = logs_,
          .watch = watch_,
          .shares = shares_,
          .turns = turns_,
          .index = index_,
          .indexer = indexer_,
          .recorder = audit_.client(),
          .denials = audit_.denials(),
          .random = shared_.random,
          .clock = shared_.clock};
}

Result<void> Worker::open_exports() {
  SR_TRY(exports_,
         make_exports(shared_.config, {.loop = loop_,
                                       .files = files_,
                                       .watch = watch_,
                                       .recorder = audit_.client(),
                                       .random = shared_.random,
                                       .clock = shared_.clock,
                                       .metrics = shared_.host.metrics,
                                       .place = shared_.host.deployment.trust_domain + "/auditd",
                                       .host = shared_.host_name}));
  return {};
}

void Worker::add_admin_routes(http::Router& router) {
  connected::relay::add_operator_routes(router, parts());
}

async::Task<Result<void>> Worker::start() {
  SR_CO_CHECK_OK(service::require_free(shared_.config.listen));
  async::spawn(keep_running(watch_, running_));
  async::spawn(keep_running(indexer_, running_));
  async::spawn(keep_running(witnesses_, running_));
  SR_CO_CHECK_OK(co_await service::repeat_until_done(loop_, stopping_,
                                                     [this] { return audit_.record_start(); }));
  if (stopping_) co_return Result<void>{};
  recorded_ = true;
  for (RunningExport& one : exports_) async::spawn(keep_running(*one.exporter, exporting_));
  async::spawn(look_after_neighbors());
  co_return listener_.open(shared_.host.deployment, shared_.config.listen,
                           shared_.config.credentials);
}

template <class Part>
async::Task<void> Worker::keep_running(Part& part, int& running) {
  ++running;
  co_await part.run();
  --running;
}

async::Task<void> Worker::look_after_neighbors() {
  ++running_;
  while (!stopping_) {
    look();
    co_await loop_.sleep_for(kLook);
  }
  --running_;
}

void Worker::look() {
  for (const RunningExport& one : exports_) {
    one.exporter->look();
    failures_.tell("export:" + one.exporter->name(), one.exporter->cause());
  }
  for (const auto& witness : witnesses_.clients()) {
    failures_.tell("witness:" + witness->name(), witness->cause());
  }
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  watch_.stop();
  indexer_.stop();
  for (RunningExport& one : exports_) one.exporter->stop();
  witnesses_.stop();
  co_await listener_.drain();
  while (running_ > 0) co_await loop_.sleep_for(kStopStep);
  // A sink that hangs does not keep the stop out of the log.
  for (auto left = kSinkPatience; exporting_ > 0 && left.count() > 0; left -= kStopStep) {
    co_await loop_.sleep_for(kStopStep);
  }
  co_await audit_.close();
  co_await database_->close();
  while (exporting_ > 0) co_await loop_.sleep_for(kStopStep);
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("[audit-relay] not taken over", {{"reason", config.error().text()}});
  const Config& places = config ? *config : shared_.config;
  return listener_.reload(deployment, places.credentials) && config;
}

void Worker::readiness(service::Readiness& readiness) {
  audit_.readiness(readiness);
  readiness.add("recovery", recorded_, "its start is not in the audit log yet");
  readiness.add("log", watch_.readable(), "the audit folder cannot be read");
  readiness.add("index", indexer_.keeps_up(), "its database takes nothing");
  for (const RunningExport& one : exports_) {
    if (const std::string trouble = one.exporter->trouble(); !trouble.empty()) {
      readiness.warn("export " + one.exporter->name() + ": " + trouble);
    }
  }
  for (const auto& witness : witnesses_.clients()) {
    if (!witness->cause().empty()) {
      readiness.warn(fmt::format("witness {}: {}", witness->name(), witness->cause()));
    }
  }
  if (indexer_.met_damage()) readiness.warn("audit log: an entry cannot be read; verify it");
  if (watch_.readable() && watch_.nearly_full()) {
    readiness.warn("audit log: less than a tenth of its file system is free");
  }
}

}  // namespace strongroom::audit_relay

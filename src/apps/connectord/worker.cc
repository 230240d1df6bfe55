// connectord's worker: recover, listen, serve, drain.
#include "apps/connectord/worker.h"

#include <array>
#include <chrono>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/try.h"
#include "cde/connectors/routes.h"

namespace strongroom::connectord {
namespace {

constexpr std::chrono::milliseconds kRetryStep{100};
constexpr std::chrono::seconds kServerPatience{5};
constexpr std::chrono::seconds kAuditPatience{2};
constexpr std::size_t kCaBytesMax = std::size_t{1} << 20;  // a system's whole bundle

// What passes by itself: a neighbor that is not there yet.
bool may_pass(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::exhausted;
}

http::ClientOptions client_options(const Processor& processor,
                                   std::shared_ptr<const http::TlsContext> tls) {
  return {.host = processor.host,
          .port = processor.port,
          .addresses = processor.addresses,
          .tls = std::move(tls),
          .connections_max = processor.connections_max,
          .response_timeout = processor.answer_timeout};
}

// The route that a request is for, never the path that was sent.
std::string_view route_of(const http::Request& request) {
  constexpr std::array<std::string_view, 5> kRoutes{"/v1/stored-cards", "/v1/authorizations",
                                                    "/v1/sales", "/v1/transactions",
                                                    "/v1/connector-accounts"};
  for (const std::string_view route : kRoutes) {
    if (request.path().starts_with(route)) return route;
  }
  return "/";
}

}  // namespace

Result<std::shared_ptr<const http::TlsContext>> load_processor_tls(const Processor& processor) {
  SR_TRY(const std::string pem, read_file(processor.ca_path, kCaBytesMax));
  return http::TlsContext::client_of_hosts(pem);
}

Worker::Worker(async::Loop& loop, Shared& shared, std::size_t index,
               std::shared_ptr<const http::TlsContext> processor_tls, http::TicketVerifier verifier)
    : loop_(loop),
      shared_(shared),
      index_(index),
      audit_(loop, shared.clock,
             {.socket_path = shared.host.deployment.audit_socket_path(),
              .instance = shared.host.deployment.instance,
              .auditd_uid = shared.auditd_uid}),
      denials_(loop, audit_, shared.random, shared.clock),
      verifier_(std::move(verifier)),
      connector_(loop, client_options(shared.config.processor, std::move(processor_tls))),
      sealer_(std::string(connector_.name()), shared.seal_keys, shared.random),
      service_({.connector = connector_,
                .sealer = sealer_,
                .recorder = audit_,
                .random = shared.random,
                .clock = shared.clock,
                .metrics = shared.metrics,
                .profile = shared.host.deployment.profile}) {
  router_.set_ticket_verifier(verifier_);
  router_.on_denied([this](const http::Request& request, const wire::Problem&) {
    return record_denial(request);
  });
  const Profile profile = shared.host.deployment.profile;
  if (shared.config.stores) cde::add_store_routes(router_, service_, profile, shared.clock);
  if (shared.config.pays) cde::add_pay_routes(router_, service_, shared.clock);
}

void Worker::add_admin_routes(http::Router& router) {
  cde::add_account_routes(router, service_, connector_.name());
}

async::Task<bool> Worker::record_denial(const http::Request& request) {
  std::string operation(http::to_string(request.method()));
  operation.append(" ").append(route_of(request));
  audit::Denial denial{.source_ip = request.peer().source,
                       .user = request.peer().identity,
                       .merchant_id = {},
                       .operation = std::move(operation),
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
  co_return listen();
}

async::Task<Result<void>> Worker::recover() {
  if (index_ != 0) co_return Result<void>{};
  const Result<void> closed = co_await service_.close_open_intents();
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
  const service::Address& listen = shared_.config.listen;
  SR_TRY(server_,
         http::Server::listen_tcp(loop_, {listen.host, listen.port}, std::move(tls), router_, {}));
  return {};
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  if (server_) co_await server_->drain(kServerPatience);
  co_await denials_.close();
  if (index_ == 0 && recovered_) audit_.send(lifecycle_entry(audit::EventType::service_stop));
  // What auditd did not take stays an open intent, which the next start closes.
  static_cast<void>(co_await audit_.drain(kAuditPatience));
  co_await audit_.close();
  co_await connector_.close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("section not taken over", {{"reason", config.error().text()}});
  const Config& known = config ? *config : shared_.config;
  const auto tls = service::load_server_tls(deployment, known.credentials);
  if (!tls) {
    log::warn("certificate not taken over", {{"error", tls.error()}});
  } else if (server_) {
    server_->set_tls(*tls);
  }
  const auto processor_tls = load_processor_tls(known.processor);
  if (!processor_tls) {
    log::warn("processor's CA not taken over", {{"error", processor_tls.error()}});
  } else {
    connector_.set_tls(*processor_tls);
  }
  const auto lines = service::load_ticket_keys(deployment);
  const Result<void> reloaded = lines ? verifier_.reload(*lines) : fail(lines.error());
  if (!reloaded) log::warn("ticket keys not taken over", {{"error", reloaded.error()}});
  return config && tls && processor_tls && reloaded;
}

void Worker::readiness(service::Readiness& readiness) {
  readiness.add("auditd", audit_.ready(), "not reached");
  readiness.add("recovery", recovered_, "open intents are not closed yet");
}

}  // namespace strongroom::connectord

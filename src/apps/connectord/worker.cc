// connectord's worker: recover, listen, serve, drain.
#include "apps/connectord/worker.h"

#include <array>
#include <chrono>
#include <utility>

#include "apps/connectord/connectors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/try.h"
#include "cde/connectors/routes.h"
#include "service/neighbors.h"

namespace strongroom::connectord {
namespace {

constexpr std::size_t kCaBytesMax = std::size_t{1} << 20;  // a system's whole bundle

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
      audit_(loop, shared.host, shared.auditd_uid, shared.random, shared.clock),
      connector_(make_connector(shared.config.connector, loop,
                                client_options(shared.config.processor, std::move(processor_tls)))),
      sealer_(std::string(connector_->name()), shared.seal_keys, shared.random),
      service_({.connector = *connector_,
                .sealer = sealer_,
                .recorder = audit_.client(),
                .random = shared.random,
                .clock = shared.clock,
                .metrics = shared.metrics,
                .profile = shared.host.deployment.profile}),
      listener_(loop, std::move(verifier)) {
  http::Router& router = listener_.router();
  router.on_denied([this](const http::Request& request, const wire::Problem&) {
    return audit_.record_denial(request, route_of(request));
  });
  const Profile profile = shared.host.deployment.profile;
  if (shared.config.stores) cde::add_store_routes(router, service_, profile, shared.clock);
  if (shared.config.pays) cde::add_pay_routes(router, service_, shared.clock);
}

void Worker::add_admin_routes(http::Router& router) {
  cde::add_account_routes(router, service_, connector_->name());
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
  if (index_ != 0) co_return Result<void>{};
  const Result<void> closed = co_await service_.close_open_intents();
  SR_CO_CHECK_OK(closed);
  co_return co_await audit_.record_start();
}

async::Task<void> Worker::drain() {
  stopping_ = true;
  co_await listener_.drain();
  co_await audit_.close();
  co_await connector_->close();
}

bool Worker::reload(const service::Deployment& deployment) {
  const auto config = Config::read(deployment);
  if (!config) log::warn("section not taken over", {{"reason", config.error().text()}});
  const Config& known = config ? *config : shared_.config;
  const auto processor_tls = load_processor_tls(known.processor);
  if (!processor_tls) {
    log::warn("processor's CA not taken over", {{"error", processor_tls.error()}});
  } else {
    connector_->set_tls(*processor_tls);
  }
  const bool renewed = listener_.reload(deployment, known.credentials);
  return config && renewed && processor_tls;
}

void Worker::readiness(service::Readiness& readiness) {
  audit_.readiness(readiness);
  readiness.add("recovery", recovered_, "open intents are not closed yet");
}

}  // namespace strongroom::connectord

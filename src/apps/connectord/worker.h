// One thread of connectord: its connections to the processor, audit client, routes and listener.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "apps/connectord/config.h"
#include "async/loop.h"
#include "base/clock.h"
#include "cde/connectors/connector.h"
#include "cde/connectors/connector_metrics.h"
#include "cde/connectors/connector_service.h"
#include "cde/connectors/sealer.h"
#include "crypto/random.h"
#include "http/ticket.h"
#include "service/audit_link.h"
#include "service/daemon.h"
#include "service/inner_listener.h"

namespace strongroom::connectord {

// What all workers share; made before the sandbox, thread-safe, outlives them.
struct Shared {
  service::Host& host;
  Config config;
  cde::SealKeys seal_keys;
  uid_t auditd_uid;
  cde::ConnectorMetrics metrics;
  SystemClock clock{};
  crypto::SystemRandom random{};
};

// Whom to believe about the processor, read from the file now.
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_processor_tls(
    const Processor& processor);

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::size_t index,
         std::shared_ptr<const http::TlsContext> processor_tls, http::TicketVerifier verifier);

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void record_reload(bool all, const std::string& user) override {
    audit_.record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override;
  void add_admin_routes(http::Router& router) override;

 private:
  // Until it is done, or the daemon stops: open intents closed.
  async::Task<Result<void>> recover();

  async::Loop& loop_;
  Shared& shared_;
  const std::size_t index_;
  service::AuditLink audit_;
  std::unique_ptr<cde::Connector> connector_;
  cde::Sealer sealer_;
  cde::ConnectorService service_;
  service::InnerListener listener_;
  bool recovered_ = false;
  bool stopping_ = false;
};

}  // namespace strongroom::connectord

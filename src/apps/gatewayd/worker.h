// One thread of gatewayd: its database connections, neighbors, routes and listener; the first one
// settles outcomes, too.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "apps/gatewayd/config.h"
#include "async/loop.h"
#include "base/clock.h"
#include "connected/gateway/account_desk.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/http_upstream.h"
#include "connected/gateway/payment_service.h"
#include "connected/gateway/payment_store.h"
#include "connected/gateway/routes.h"
#include "connected/gateway/settler.h"
#include "crypto/random.h"
#include "http/client.h"
#include "http/router.h"
#include "http/ticket.h"
#include "http/tls.h"
#include "service/audit_link.h"
#include "service/daemon.h"
#include "service/inner_listener.h"
#include "storage/database.h"

namespace strongroom::gatewayd {

// What all workers share; made before the sandbox, thread-safe, outlives them.
struct Shared {
  service::Host& host;
  Config config;
  connected::gateway::SettlerMetrics metrics;
  uid_t auditd_uid;
  SystemClock clock{};
  crypto::SystemRandom random{};
};

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::size_t index,
         std::unique_ptr<storage::Database> database, http::TicketVerifier verifier,
         const std::shared_ptr<const http::TlsContext>& client_tls);

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void record_reload(bool all, const std::string& user) override {
    audit_.record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override;
  void add_admin_routes(http::Router& router) override;

 private:
  // Until it is done, or the daemon stops: schema known, open intents closed, what an earlier run
  // left pending taken over.
  async::Task<Result<void>> recover();
  async::Task<void> settle();
  connected::gateway::RouteParts parts() noexcept;

  async::Loop& loop_;
  Shared& shared_;
  const std::size_t index_;
  std::unique_ptr<storage::Database> database_;
  service::AuditLink audit_;
  http::ClientGroup vaultds_;
  connected::gateway::HttpConnectors::Clients connectord_;
  connected::gateway::HttpVault vault_;
  connected::gateway::HttpConnectors connectors_;
  connected::gateway::PaymentStore store_;
  connected::gateway::AccountStore accounts_;
  connected::gateway::AccountDesk desk_;
  connected::gateway::PaymentService payments_;
  connected::gateway::Settler settler_;
  service::InnerListener listener_;
  bool recovered_ = false;
  bool stopping_ = false;
  bool settling_ = false;
};

}  // namespace strongroom::gatewayd

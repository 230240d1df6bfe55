// One thread of authd: its database connections, audit client, routes and listener.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>

#include "apps/authd/config.h"
#include "async/loop.h"
#include "base/clock.h"
#include "connected/auth/authority.h"
#include "connected/auth/directory.h"
#include "connected/auth/routes.h"
#include "connected/auth/ticket_office.h"
#include "crypto/random.h"
#include "http/ticket.h"
#include "service/audit_link.h"
#include "service/daemon.h"
#include "service/inner_listener.h"
#include "storage/database.h"

namespace strongroom::authd {

// What all workers share; made before the sandbox, thread-safe, outlives them.
struct Shared {
  service::Host& host;
  Config config;
  http::TicketSigner signer;
  uid_t auditd_uid;
  connected::auth::TicketCounters counters;
  SystemClock clock{};
  crypto::SystemRandom random{};
};

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::size_t index,
         std::unique_ptr<storage::Database> database, http::TicketVerifier verifier);

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void record_reload(bool all, const std::string& user) override {
    audit_.record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override;
  void add_admin_routes(http::Router& router) override;

 private:
  // Until it is done, or the daemon stops: schema known, open intents closed.
  async::Task<Result<void>> recover();
  connected::auth::Parts parts() noexcept;

  async::Loop& loop_;
  Shared& shared_;
  const std::size_t index_;
  std::unique_ptr<storage::Database> database_;
  service::AuditLink audit_;
  connected::auth::Directory directory_;
  connected::auth::Authority authority_;
  connected::auth::TicketOffice tickets_;
  service::InnerListener listener_;
  bool recovered_ = false;
  bool stopping_ = false;
};

}  // namespace strongroom::authd

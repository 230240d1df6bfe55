// audit-relay's one thread: what follows the log, its routes and its listener.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/audit_relay/config.h"
#include "apps/audit_relay/exports.h"
#include "async/blocking_pool.h"
#include "async/loop.h"
#include "audit/files.h"
#include "base/clock.h"
#include "connected/relay/failures.h"
#include "connected/relay/indexer.h"
#include "connected/relay/log_files.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/routes.h"
#include "connected/relay/search_index.h"
#include "connected/relay/witnesses.h"
#include "crypto/random.h"
#include "http/ticket.h"
#include "service/audit_link.h"
#include "service/daemon.h"
#include "service/inner_listener.h"
#include "storage/database.h"

namespace strongroom::audit_relay {

// What the worker borrows; made before the sandbox, outlives it.
struct Shared {
  service::Host& host;
  Config config;
  uid_t auditd_uid;
  std::string host_name;  // of this machine
  connected::relay::WatchMetrics watch;
  Gauge& index_lag;
  std::shared_ptr<const http::TlsContext> witness_tls{};  // null without witnesses
  SystemClock clock{};
  crypto::SystemRandom random{};
};

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::unique_ptr<storage::Database> database,
         http::TicketVerifier verifier);

  // Before start(). Errors of make_exports.
  [[nodiscard]] Result<void> open_exports();

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void record_reload(bool all, const std::string& user) override {
    audit_.record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override;
  void add_admin_routes(http::Router& router) override;

 private:
  connected::relay::RouteParts parts() noexcept;
  connected::relay::Witnesses::Clients make_witness_clients();
  // Runs a part that goes on until it is stopped; `running` counts it.
  template <class Part>
  async::Task<void> keep_running(Part& part, int& running);
  async::Task<void> look_after_neighbors();
  void look();

  async::Loop& loop_;
  Shared& shared_;
  std::unique_ptr<storage::Database> database_;
  audit::PosixFiles files_;
  service::AuditLink audit_;
  async::BlockingPool pool_;
  connected::relay::LogFiles logs_;
  connected::relay::LogWatch watch_;
  connected::relay::Witnesses witnesses_;
  http::Shares shares_{connected::relay::kRequestsPerMerchantMax};
  connected::relay::Turns turns_;
  connected::relay::SearchIndex index_;
  connected::relay::Indexer indexer_;
  std::vector<RunningExport> exports_;
  connected::relay::Failures failures_;
  service::InnerListener listener_;
  bool recorded_ = false;  // the start is in the log
  bool stopping_ = false;
  int running_ = 0;    // tasks that end after stop
  int exporting_ = 0;  // the same, each once its sink has answered
};

}  // namespace strongroom::audit_relay

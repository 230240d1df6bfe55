// One thread of edged: the public listener and the connections to the neighbors.
#pragma once

#include <memory>
#include <optional>

#include "apps/edged/config.h"
#include "async/loop.h"
#include "cde/edge/edge.h"
#include "http/client.h"
#include "http/client_group.h"
#include "http/router.h"
#include "http/server.h"
#include "service/daemon.h"

namespace strongroom::edged {

// What all workers share; outlives them.
struct Shared {
  service::Host& host;
  Config config;
};

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Shared& shared, std::size_t index,
         const std::shared_ptr<const http::TlsContext>& inner_tls);

  async::Task<Result<void>> start() override;
  async::Task<void> drain() override;
  bool reload(const service::Deployment& deployment) override;
  void readiness(service::Readiness& readiness) override;

 private:
  bool renew_public(const Config& places);
  bool renew_inner(const service::Deployment& deployment, const Config& places);

  async::Loop& loop_;
  Shared& shared_;
  std::size_t index_;
  http::Client authd_;
  http::ClientGroup vaultds_;
  std::optional<http::Client> gatewayd_;
  std::optional<http::Client> audit_relay_;
  cde::Edge edge_;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace strongroom::edged

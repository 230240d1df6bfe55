// The admin socket's common routes: health, readiness and metrics of one instance, as JSON and
// Prometheus text. Local only; the peer must be root or the daemon's own user.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/metrics.h"
#include "http/router.h"
#include "service/readiness.h"

namespace strongroom::service {

struct AdminFacts {
  std::string instance;
  std::vector<std::string> sandbox_gaps;  // what this kernel cannot enforce
  std::string memory;                     // level of the secret arena
  bool memory_locked = false;             // the whole process is locked against swapping
};

// Adds GET /healthz (200 while the Loop turns), GET /readyz (200, else 503) and GET /metrics.
// `collect` asks every worker. `metrics` outlives the router.
void add_admin_routes(http::Router& router, AdminFacts facts, Registry& metrics,
                      std::move_only_function<async::Task<Readiness>()> collect);

// {"ready":false,"instance":"vaultd","version":"0.1.0","checks":[{"name":"auditd","ok":false,
// "detail":"not
// connected"}],"warnings":[],"sandbox_gaps":[],"memory":"memfd_secret","memory_locked":true}
[[nodiscard]] std::string readiness_json(const Readiness& readiness, const AdminFacts& facts);

}  // namespace strongroom::service

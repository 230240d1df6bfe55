// gatewayd: payments by token. It sees no card and opens no connection to the outside.
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/gatewayd/config.h"
#include "apps/gatewayd/worker.h"
#include "base/clock.h"
#include "base/try.h"
#include "connected/gateway/schema.h"
#include "sandbox/gatewayd.h"
#include "service/daemon.h"
#include "storage/dump.h"
#include "storage/migrations.h"

namespace strongroom::gatewayd {
namespace {

using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

connected::gateway::SettlerMetrics metrics_of(Registry& registry) {
  return {.unknown = registry.gauge("strongroom_payment_outcomes_unknown",
                                    "Operations at a processor whose outcome nobody knows."),
          .oldest_age_seconds = registry.gauge("strongroom_payment_outcome_unknown_age_seconds",
                                               "How long the oldest of them has been under way."),
          .settled = registry.counter("strongroom_payment_outcomes_settled_total",
                                      "Outcomes that were unknown and are settled.")};
}

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, uid_t auditd)
      : shared_{.host = host,
                .config = std::move(config),
                .metrics = metrics_of(host.metrics),
                .auditd_uid = auditd} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    sandbox::GatewaydPaths paths{
        .config_folder = deployment.config_folder(),
        .credential_paths = {folder_of(deployment.ca_path),
                             folder_of(config.credentials.certificate_path),
                             folder_of(config.credentials.key_path),
                             folder_of(deployment.ticket_keys_path)},
        .database_folder = config.database.sqlite_folder,
        .connect_ports = config.database.ports,
        .listen_ports = {config.listen.port}};
    paths.credential_paths.insert(paths.credential_paths.end(), config.database.files.begin(),
                                  config.database.files.end());
    for (const auto& [name, address] : config.vaultds) {
      paths.connect_ports.push_back(address.port);
    }
    for (const auto& [name, address] : config.connectors) {
      paths.connect_ports.push_back(address.port);
    }
    return sandbox::enter_gatewayd(paths);
  }

  [[nodiscard]] std::optional<service::Address> address() const override {
    return shared_.config.listen;
  }

  // It may connect to Unix sockets, for auditd's intake is one.
  [[nodiscard]] sandbox::ProbePlan probe_plan() const override {
    return {.unlisted_socket_folder = shared_.host.deployment.audit_socket_folder()};
  }

  [[nodiscard]] std::size_t workers() const override { return shared_.config.workers; }

  Result<std::unique_ptr<service::Worker>> make_worker(async::Loop& loop,
                                                       std::size_t index) override {
    SR_TRY(auto database, storage::open(loop, {.url = shared_.config.database.text}));
    SR_TRY(auto verifier, service::load_ticket_verifier(shared_.host.deployment, shared_.clock));
    SR_TRY(auto tls, service::load_client_tls(shared_.host.deployment, shared_.config.credentials));
    return std::make_unique<Worker>(loop, shared_, index, std::move(database), std::move(verifier),
                                    std::move(tls));
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  SR_CHECK_OK(service::require_folder(config.database));
  const auto tls = service::load_server_tls(host.deployment, config.credentials);
  if (!tls) return start_failure("[gatewayd] " + text_of(config.credentials), tls.error());
  const auto auditd = host.deployment.auditd_uid();
  if (!auditd) return start_failure(host.deployment.audit_socket_folder(), auditd.error());
  return std::make_unique<Service>(host, std::move(config), *auditd);
}

Start<void> migrate(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto migrated = storage::migrate_at(config.database.text, connected::gateway::migrations(),
                                            host.unrecorded.migrating("core"));
  if (!migrated) return start_failure("[gatewayd] database", migrated.error());
  return {};
}

Start<void> dump(Host& host, const service::DumpSink& sink) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto dumped =
      storage::dump_at(config.database.text, connected::gateway::migrations(), sink);
  if (!dumped) return start_failure("[gatewayd] database", dumped.error());
  return {};
}

Start<void> load(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const storage::Source source = storage::source_of(STDIN_FILENO);
  const auto loaded = host.unrecorded.restoring("core", [&] {
    return storage::load_at(config.database.text, connected::gateway::migrations(), source,
                            [&] { return storage::nothing_more(source); });
  });
  if (!loaded) return start_failure("[gatewayd] database", loaded.error());
  return {};
}

}  // namespace
}  // namespace strongroom::gatewayd

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "gatewayd",
                                          .purpose = "payments by token",
                                          .open = strongroom::gatewayd::open,
                                          .init = strongroom::gatewayd::migrate,
                                          .migrate = strongroom::gatewayd::migrate,
                                          .dump = strongroom::gatewayd::dump,
                                          .load = strongroom::gatewayd::load,
                                          .database = "core"},
                                         argc, argv);
}

// vaultd: takes cards, gives tokens. The only process with card keys (through the HSM) and the
// vault database.
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/vaultd/config.h"
#include "apps/vaultd/hsm.h"
#include "apps/vaultd/worker.h"
#include "base/clock.h"
#include "base/try.h"
#include "cde/vault/card_store.h"
#include "cde/vault/due_erasures.h"
#include "sandbox/vaultd.h"
#include "service/daemon.h"
#include "storage/dump.h"
#include "storage/migrations.h"

namespace strongroom::vaultd {
namespace {

using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, Hsm hsm, uid_t auditd)
      : shared_{.host = host,
                .config = std::move(config),
                .hsm = std::move(hsm),
                .auditd_uid = auditd,
                .metrics = cde::VaultMetrics(host.metrics)} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    sandbox::VaultdPaths paths{
        .config_folder = deployment.config_folder(),
        .credential_paths = {folder_of(deployment.ca_path), folder_of(config.tls.certificate_path),
                             folder_of(config.tls.key_path),
                             folder_of(deployment.ticket_keys_path)},
        .token_folder = config.hsm.token_folder,
        .module_paths = config.hsm.read_paths,
        .database_folder = config.database.sqlite_folder,
        .connect_ports = config.database.ports,
        .listen_ports = {config.listen.port}};
    for (const service::Address& address : config.hsm.connects) {
      paths.connect_ports.push_back(address.port);
    }
    for (const auto* places : {&config.connectors, &config.peers}) {
      for (const auto& [name, address] : *places) paths.connect_ports.push_back(address.port);
    }
    paths.credential_paths.insert(paths.credential_paths.end(), config.database.files.begin(),
                                  config.database.files.end());
    return sandbox::enter_vaultd(paths);
  }

  // It may connect to Unix sockets, for auditd's intake is one.
  [[nodiscard]] sandbox::ProbePlan probe_plan() const override {
    return {.unlisted_socket_folder = shared_.host.deployment.audit_socket_folder()};
  }

  [[nodiscard]] std::size_t workers() const override { return shared_.config.workers; }
  [[nodiscard]] std::optional<service::Address> address() const override {
    return shared_.config.listen;
  }

  Result<std::unique_ptr<service::Worker>> make_worker(async::Loop& loop,
                                                       std::size_t index) override {
    shared_.hsm.start_threads(shared_.config.hsm);
    SR_TRY(auto database, storage::open(loop, {.url = shared_.config.database.text}));
    SR_TRY(auto verifier, service::load_ticket_verifier(shared_.host.deployment, shared_.clock));
    SR_TRY(auto client_tls, service::load_client_tls(shared_.host.deployment, shared_.config.tls));
    return std::make_unique<Worker>(loop, shared_, index, std::move(database), std::move(verifier),
                                    client_tls);
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  SR_CHECK_OK(service::require_folder(config.database));
  SR_TRY(Hsm hsm, Hsm::open(config.hsm, config.workers));
  const auto auditd = host.deployment.auditd_uid();
  if (!auditd) return start_failure(host.deployment.audit_socket_folder(), auditd.error());
  const auto tls = service::load_server_tls(host.deployment, config.tls);
  if (!tls) return start_failure("[vaultd] " + text_of(config.tls), tls.error());
  return std::make_unique<Service>(host, std::move(config), std::move(hsm), *auditd);
}

Start<void> migrate(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto migrated = storage::migrate_at(config.database.text, cde::vault_migrations(),
                                            host.unrecorded.migrating("vault"));
  if (!migrated) return start_failure("[vaultd] database", migrated.error());
  return {};
}

Start<void> dump(Host& host, const service::DumpSink& sink) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto dumped = storage::dump_at(config.database.text, cde::vault_migrations(), sink);
  if (!dumped) return start_failure("[vaultd] database", dumped.error());
  return {};
}

// What was erased since the dump comes behind it, and must: a card that somebody had erased is not
// to be served again.
Start<void> load(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const storage::Source source = storage::source_of(STDIN_FILENO);
  const auto loaded = host.unrecorded.restoring("vault", [&] {
    return storage::load_at(config.database.text, cde::vault_migrations(), source,
                            [&] { return cde::read_due_erasures(source); });
  });
  if (!loaded) return start_failure("[vaultd] database", loaded.error());
  return {};
}

Start<void> init(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  SR_CHECK_OK(Hsm::init(config.hsm, host.unrecorded));
  return migrate(host);
}

}  // namespace
}  // namespace strongroom::vaultd

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "vaultd",
                                          .purpose = "cards in, tokens out",
                                          .open = strongroom::vaultd::open,
                                          .init = strongroom::vaultd::init,
                                          .migrate = strongroom::vaultd::migrate,
                                          .dump = strongroom::vaultd::dump,
                                          .load = strongroom::vaultd::load,
                                          .database = "vault"},
                                         argc, argv);
}

// authd: who may do what. It keeps merchants and API keys and issues tickets.
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/authd/config.h"
#include "apps/authd/worker.h"
#include "base/clock.h"
#include "base/try.h"
#include "connected/auth/revocations.h"
#include "connected/auth/schema.h"
#include "connected/auth/ticket_key.h"
#include "sandbox/authd.h"
#include "service/daemon.h"
#include "storage/dump.h"
#include "storage/migrations.h"

namespace strongroom::authd {
namespace {

using connected::auth::TicketKeyFiles;
using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, http::TicketSigner signer, uid_t auditd)
      : shared_{
            .host = host,
            .config = std::move(config),
            .signer = std::move(signer),
            .auditd_uid = auditd,
            .counters = {.issued = host.metrics.counter("strongroom_tickets_issued_total",
                                                        "Tickets issued for a valid API key."),
                         .refused = host.metrics.counter("strongroom_tickets_refused_total",
                                                         "Requests without a valid API key.")}} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    sandbox::AuthdPaths paths{.config_folder = deployment.config_folder(),
                              .credential_paths = {folder_of(deployment.ca_path),
                                                   folder_of(config.credentials.certificate_path),
                                                   folder_of(config.credentials.key_path),
                                                   folder_of(deployment.ticket_keys_path)},
                              .key_paths = {},  // read and unsealed already
                              .database_folder = config.database.sqlite_folder,
                              .connect_ports = config.database.ports,
                              .listen_ports = {config.listen.port}};
    paths.credential_paths.insert(paths.credential_paths.end(), config.database.files.begin(),
                                  config.database.files.end());
    return sandbox::enter_authd(paths);
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
    SR_TRY(auto database, storage::open(loop, {.url = shared_.config.database.text}));
    SR_TRY(auto verifier, service::load_ticket_verifier(shared_.host.deployment, shared_.clock));
    return std::make_unique<Worker>(loop, shared_, index, std::move(database), std::move(verifier));
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  SR_CHECK_OK(service::require_folder(config.database));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  auto signer = connected::auth::load_ticket_signer(config.ticket_key_path, passphrase);
  if (!signer) return start_failure(config.ticket_key_path, signer.error());
  const auto auditd = host.deployment.auditd_uid();
  if (!auditd) return start_failure(host.deployment.audit_socket_folder(), auditd.error());
  const auto tls = service::load_server_tls(host.deployment, config.credentials);
  if (!tls) return start_failure("[authd] " + text_of(config.credentials), tls.error());
  return std::make_unique<Service>(host, std::move(config), *std::move(signer), *auditd);
}

Start<void> migrate(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto migrated = storage::migrate_at(config.database.text, connected::auth::migrations(),
                                            host.unrecorded.migrating("auth"));
  if (!migrated) return start_failure("[authd] database", migrated.error());
  return {};
}

Start<void> dump(Host& host, const service::DumpSink& sink) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const auto dumped = storage::dump_at(config.database.text, connected::auth::migrations(), sink);
  if (!dumped) return start_failure("[authd] database", dumped.error());
  return {};
}

// What was revoked since the dump comes behind it, and must: such a key opens nothing again.
Start<void> load(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  const storage::Source source = storage::source_of(STDIN_FILENO);
  const auto loaded = host.unrecorded.restoring("auth", [&] {
    return storage::load_at(config.database.text, connected::auth::migrations(), source,
                            [&] { return connected::auth::read_revocations(source); });
  });
  if (!loaded) return start_failure("[authd] database", loaded.error());
  return {};
}

Start<void> init(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  crypto::SystemRandom random;
  const TicketKeyFiles files{.sealed_path = config.ticket_key_path,
                             .public_path = host.deployment.ticket_keys_path};
  const auto made = host.unrecorded.making_key(files.sealed_path, [&] {
    return connected::auth::make_ticket_key(files, passphrase, random);
  });
  if (!made) return start_failure(files.sealed_path, made.error());
  return migrate(host);
}

}  // namespace
}  // namespace strongroom::authd

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "authd",
                                          .purpose = "merchants, API keys and tickets",
                                          .open = strongroom::authd::open,
                                          .init = strongroom::authd::init,
                                          .migrate = strongroom::authd::migrate,
                                          .dump = strongroom::authd::dump,
                                          .load = strongroom::authd::load,
                                          .database = "auth"},
                                         argc, argv);
}

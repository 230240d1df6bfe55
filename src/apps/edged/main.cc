// edged: the public listener. It ends TLS, gets a ticket for the credential and passes the request
// on; it has no database, parses no JSON and keeps no card.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/edged/config.h"
#include "apps/edged/worker.h"
#include "base/try.h"
#include "sandbox/edged.h"
#include "service/daemon.h"

namespace strongroom::edged {
namespace {

using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

class Service final : public service::Service {
 public:
  Service(Host& host, Config config) : shared_{.host = host, .config = std::move(config)} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    sandbox::EdgedPaths paths{
        .config_folder = deployment.config_folder(),
        .credential_paths = {folder_of(deployment.ca_path), folder_of(config.tls.certificate_path),
                             folder_of(config.tls.key_path),
                             folder_of(config.public_tls.certificate_path),
                             folder_of(config.public_tls.key_path)},
        .connect_ports = {config.authd.port},
        .listen_ports = {config.listen.port}};
    for (const auto& [name, address] : config.vaultds) {
      paths.connect_ports.push_back(address.port);
    }
    if (config.gatewayd) paths.connect_ports.push_back(config.gatewayd->port);
    if (config.audit_relay) paths.connect_ports.push_back(config.audit_relay->port);
    return sandbox::enter_edged(paths);
  }

  [[nodiscard]] sandbox::ProbePlan probe_plan() const override {
    const service::Deployment& deployment = shared_.host.deployment;
    return {.unlisted_socket = deployment.run_path("authd.admin.sock"),
            .unlisted_socket_folder = deployment.audit_socket_folder()};
  }

  [[nodiscard]] std::size_t workers() const override { return shared_.config.workers; }
  [[nodiscard]] std::optional<service::Address> address() const override {
    return shared_.config.listen;
  }

  Result<std::unique_ptr<service::Worker>> make_worker(async::Loop& loop,
                                                       std::size_t index) override {
    SR_TRY(auto tls, service::load_client_tls(shared_.host.deployment, shared_.config.tls));
    return std::make_unique<Worker>(loop, shared_, index, std::move(tls));
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  if (auto tls = service::load_public_tls(config.public_tls); !tls) {
    return start_failure("[edged] public " + text_of(config.public_tls), tls.error());
  }
  return std::make_unique<Service>(host, std::move(config));
}

}  // namespace
}  // namespace strongroom::edged

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "edged",
                                          .purpose = "the public HTTPS door of a deployment",
                                          .open = strongroom::edged::open,
                                          .init = nullptr,
                                          .migrate = nullptr,
                                          .dump = nullptr,
                                          .load = nullptr},
                                         argc, argv);
}

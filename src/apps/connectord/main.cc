// connectord: one processor's connector. The only process that speaks to the processor, and the
// only one that can use its credentials.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/connectord/config.h"
#include "apps/connectord/worker.h"
#include "base/log.h"
#include "base/try.h"
#include "cde/connectors/seal_key.h"
#include "sandbox/connectord.h"
#include "service/daemon.h"
#include "service/outside_host.h"

namespace strongroom::connectord {
namespace {

using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, cde::SealKeys keys, uid_t auditd,
          const cde::ConnectorMetrics& metrics)
      : shared_{.host = host,
                .config = std::move(config),
                .seal_keys = std::move(keys),
                .auditd_uid = auditd,
                .metrics = metrics} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    return sandbox::enter_connectord(
        {.config_folder = deployment.config_folder(),
         .credential_paths = {folder_of(deployment.ca_path),
                              folder_of(config.credentials.certificate_path),
                              folder_of(config.credentials.key_path),
                              folder_of(config.processor.ca_path),
                              folder_of(deployment.ticket_keys_path)},
         .connect_ports = {config.processor.port},
         .listen_ports = {config.listen.port}});
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
    SR_TRY(auto processor_tls, load_processor_tls(shared_.config.processor));
    SR_TRY(auto verifier, service::load_ticket_verifier(shared_.host.deployment, shared_.clock));
    return std::make_unique<Worker>(loop, shared_, index, std::move(processor_tls),
                                    std::move(verifier));
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  auto keys = cde::load_seal_keys(config.seal_key_path, passphrase);
  if (!keys) return start_failure(config.seal_key_path, keys.error());
  const auto auditd = host.deployment.auditd_uid();
  if (!auditd) return start_failure(host.deployment.audit_socket_folder(), auditd.error());
  const auto tls = service::load_server_tls(host.deployment, config.credentials);
  if (!tls) return start_failure(text_of(config.credentials), tls.error());
  const auto processor_tls = load_processor_tls(config.processor);
  if (!processor_tls) return start_failure(config.processor.ca_path, processor_tls.error());
  if (config.processor.addresses.empty() && service::needs_look_up(config.processor.host)) {
    auto addresses = service::look_up(config.processor.host);
    if (!addresses) return start_failure(config.processor.host, addresses.error());
    config.processor.addresses = *std::move(addresses);
  }
  const cde::ConnectorMetrics metrics(host.metrics, config.connector);
  return std::make_unique<Service>(host, std::move(config), *std::move(keys), *auditd, metrics);
}

Start<void> init(Host& host) {
  SR_TRY(const Config config, Config::read(host.deployment));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  crypto::SystemRandom random;
  const auto made = host.unrecorded.making_key(config.seal_key_path, [&] {
    return cde::make_seal_key(config.seal_key_path, passphrase, random);
  });
  if (!made) return start_failure(config.seal_key_path, made.error());
  return {};
}

}  // namespace
}  // namespace strongroom::connectord

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "connectord",
                                          .purpose = "one processor's connector",
                                          .open = strongroom::connectord::open,
                                          .init = strongroom::connectord::init,
                                          .migrate = nullptr,
                                          .dump = nullptr,
                                          .load = nullptr},
                                         argc, argv);
}

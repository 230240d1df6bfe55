// audit-relay: shows the audit log to those whom it concerns. It reads what auditd writes and can
// write none of it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/audit_relay/config.h"
#include "apps/audit_relay/worker.h"
#include "base/file.h"
#include "base/try.h"
#include "connected/relay/schema.h"
#include "sandbox/audit_relay.h"
#include "service/daemon.h"
#include "service/outside_host.h"
#include "storage/migrations.h"

namespace strongroom::audit_relay {
namespace {

using service::folder_of;
using service::Host;
using service::Start;
using service::start_failure;

constexpr std::size_t kCaBytesMax = std::size_t{1} << 20;

connected::relay::WatchMetrics metrics_of(Registry& registry) {
  return {.checkpoint_age_seconds =
              registry.gauge("strongroom_audit_checkpoint_age_seconds",
                             "How long ago auditd signed; it signs when there are new entries."),
          .bytes_free = registry.gauge("strongroom_audit_bytes_free",
                                       "Free on the file system of the audit log.")};
}

Start<void> require_folder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  return start_failure(folder, {ErrorCode::not_found, "no such folder"});
}

bool lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// A folder to write in, which gives no right to write the audit log.
Start<void> require_apart(const std::string& folder, const std::string& audit_folder) {
  SR_CHECK_OK(require_folder(folder));
  std::error_code error;
  const auto own = std::filesystem::canonical(folder, error);
  const auto audit = std::filesystem::canonical(audit_folder, error);
  if (!error && !lies_in(own, audit) && !lies_in(audit, own)) return {};
  return start_failure(
      folder, {ErrorCode::invalid_argument, "must be apart from the folder of the audit log"});
}

std::string index_url(const Config& config) { return "sqlite:" + config.data + "/index.db"; }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// What a sink needs, so that a bad one ends the start: its folder or its certificates. And where it
// is, for inside the sandbox nobody can be asked.
Start<void> prepare(Export& sink, const std::string& audit_folder) {
  if (sink.is_file()) return require_apart(folder_of(sink.file.path), audit_folder);
  if (const auto tls = load_export_tls(sink); !tls) return start_failure(sink.ca_path, tls.error());
  if (!sink.addresses.empty() || !service::needs_look_up(sink.host.host)) return {};
  auto addresses = service::look_up(sink.host.host);
  if (!addresses) return start_failure(sink.host.host, addresses.error());
  sink.addresses = *std::move(addresses);
  return {};
}

// Null without witnesses.
Result<std::shared_ptr<const http::TlsContext>> tls_to_witnesses(const Config& config) {
  if (config.witnesses.empty()) return std::shared_ptr<const http::TlsContext>{};
  SR_TRY(const std::string ca, read_file(config.witness_ca, kCaBytesMax));
  return http::TlsContext::client_of_hosts(ca);
}

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, uid_t auditd,
          std::shared_ptr<const http::TlsContext> witness_tls)
      : shared_{.host = host,
                .config = std::move(config),
                .auditd_uid = auditd,
                .host_name = host_name(),
                .watch = metrics_of(host.metrics),
                .index_lag =
                    host.metrics.gauge("strongroom_audit_index_lag_entries",
                                       "Signed entries that the search index does not have yet."),
                .witness_tls = std::move(witness_tls)} {}

  Result<sandbox::Enforced> enter_sandbox() override {
    const service::Deployment& deployment = shared_.host.deployment;
    const Config& config = shared_.config;
    sandbox::AuditRelayPaths paths{
        .config_folder = deployment.config_folder(),
        .credential_paths = {folder_of(deployment.ca_path),
                             folder_of(config.credentials.certificate_path),
                             folder_of(config.credentials.key_path),
                             folder_of(deployment.ticket_keys_path)},
        .audit_folder = config.directory,
        .data_folders = {config.data},
        .listen_ports = {config.listen.port}};
    for (const Export& sink : config.exports) {
      if (sink.is_file()) {
        paths.data_folders.push_back(folder_of(sink.file.path));
        continue;
      }
      paths.connect_ports.push_back(sink.host.port);
      for (const std::string& path :
           {sink.ca_path, sink.credentials.certificate_path, sink.credentials.key_path}) {
        paths.credential_paths.push_back(folder_of(path));  // of nothing: nothing
      }
    }
    for (const auto& [name, where] : config.witnesses) paths.connect_ports.push_back(where.port);
    return sandbox::enter_audit_relay(paths);
  }

  // It may connect to Unix sockets, for auditd's intake is one.
  [[nodiscard]] sandbox::ProbePlan probe_plan() const override {
    return {.unlisted_socket_folder = shared_.host.deployment.audit_socket_folder()};
  }

  [[nodiscard]] std::optional<service::Address> address() const override {
    return shared_.config.listen;
  }

  Result<std::unique_ptr<service::Worker>> make_worker(async::Loop& loop, std::size_t) override {
    SR_TRY(auto verifier, service::load_ticket_verifier(shared_.host.deployment, shared_.clock));
    SR_TRY(auto database, storage::open(loop, {.url = index_url(shared_.config)}));
    auto worker = std::make_unique<Worker>(loop, shared_, std::move(database), std::move(verifier));
    SR_CHECK_OK(worker->open_exports());
    return worker;
  }

 private:
  Shared shared_;
};

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_TRY(Config config, Config::read(host.deployment));
  SR_CHECK_OK(require_folder(config.directory));
  SR_CHECK_OK(require_apart(config.data, config.directory));
  for (Export& sink : config.exports) SR_CHECK_OK(prepare(sink, config.directory));
  const auto auditd = host.deployment.auditd_uid();
  if (!auditd) return start_failure(host.deployment.audit_socket_folder(), auditd.error());
  const auto tls = service::load_server_tls(host.deployment, config.credentials);
  if (!tls) return start_failure(text_of(config.credentials), tls.error());
  // The index is made here, for all of it follows from the log.
  const auto made = storage::migrate_at(index_url(config), connected::relay::migrations(),
                                        host.unrecorded.migrating("audit-index"));
  if (!made) return start_failure(config.data + "/index.db", made.error());
  auto witness_tls = tls_to_witnesses(config);
  if (!witness_tls) return start_failure(config.witness_ca, witness_tls.error());
  return std::make_unique<Service>(host, std::move(config), *auditd, *std::move(witness_tls));
}

}  // namespace
}  // namespace strongroom::audit_relay

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "audit-relay",
                                          .purpose = "the audit log for those whom it concerns",
                                          .open = strongroom::audit_relay::open,
                                          .init = nullptr,
                                          .migrate = nullptr,
                                          .dump = nullptr,
                                          .load = nullptr},
                                         argc, argv);
}

// auditd: the only writer of its host's audit log.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/auditd/config.h"
#include "async/blocking_pool.h"
#include "audit/files.h"
#include "audit/logs.h"
#include "audit/note.h"
#include "auditd/admin_routes.h"
#include "auditd/auditd.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/try.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "crypto/sealed_file.h"
#include "crypto/signer.h"
#include "http/server.h"
#include "sandbox/auditd.h"
#include "service/daemon.h"

namespace strongroom::auditd {
namespace {

using service::Host;
using service::Start;
using service::start_failure;

constexpr std::string_view kPurpose = "audit-checkpoint";
constexpr std::string_view kArchivePurpose = "audit-archive";
constexpr std::uint32_t kArchiveKeyVersion = 1;

using ArchiveKey = std::optional<crypto::Aead>;
constexpr mode_t kReadableByAll = 0644;
constexpr std::string_view kRelay = "audit-relay";
constexpr std::size_t kRelayConnectionsMax = 8;
constexpr std::chrono::milliseconds kRelayPatience{1'000};
constexpr std::string_view kNotImmutable =
    "closed files of the audit log are not immutable: the file system has no such thing, auditd "
    "has no CAP_LINUX_IMMUTABLE, or one is not its own";

class Worker final : public service::Worker {
 public:
  Worker(async::Loop& loop, Host& host, Config config, crypto::Ed25519Signer signer,
         ArchiveKey archive_key)
      : loop_(loop),
        host_(host),
        config_(std::move(config)),
        signer_(std::move(signer)),
        archive_key_(std::move(archive_key)) {}

  // Reads the whole journal, which takes the longer the older it is, beside the Loop.
  async::Task<Result<void>> start() override {
    SR_CO_CHECK_OK(listen_to_relay());
    const auto begun = std::chrono::steady_clock::now();
    auto work = [this] { return open_store(); };
    Result<Store> store = co_await pool_.run(loop_, std::move(work));
    if (stopping_) co_return Result<void>{};
    if (!store) {
      log::error("audit log not opened",
                 {{"directory", config_.directory}, {"error", store.error()}});
      co_return fail(store.error());
    }
    const auto took = std::chrono::steady_clock::now() - begun;
    log::info("audit log read",
              {{"mib", replay_.bytes_read >> 20},
               {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()}});
    const bool production = host_.deployment.profile == Profile::production;
    if (production && !archive_key_) {
      log::warn("the audit log has no archives: archive_key is not set", {});
    }
    SR_CO_TRY(auditd_, Auditd::start(loop_, *std::move(store), host_.metrics,
                                     {.socket_path = host_.deployment.audit_socket_path(),
                                      .users = config_.writers,
                                      .quota_bytes_per_minute = config_.quota_bytes_per_minute,
                                      .expects_witness = production,
                                      .archive_key = std::move(archive_key_),
                                      .retention = config_.retention}));
    if (!auditd_->immutable()) log::warn("audit log", {{"why", kNotImmutable}});
    co_await record_made();
    co_return Result<void>{};
  }
  async::Task<void> drain() override {
    stopping_ = true;
    replay_.stop = true;
    if (relay_) co_await relay_->drain(kRelayPatience);
    if (auditd_) co_await auditd_->drain();
  }
  bool reload(const service::Deployment& deployment) override {
    auto config = Config::read(deployment);
    if (!config) {
      log::warn("[auditd] not taken over", {{"reason", config.error().text()}});
      return false;
    }
    config_.writers = std::move(config->writers);
    config_.quota_bytes_per_minute = config->quota_bytes_per_minute;
    if (auditd_) auditd_->set_users(config_.writers);
    if (auditd_) auditd_->set_quota(config_.quota_bytes_per_minute);
    return true;
  }
  void record_reload(bool all, const std::string& user) override {
    if (auditd_) auditd_->record_reload(all, user);
  }
  void readiness(service::Readiness& readiness) override {
    if (!auditd_) return readiness.add("journal", false, progress());
    const std::string_view not_ready = auditd_->not_ready();
    readiness.add("journal", not_ready.empty(), not_ready);
    if (auditd_->room() != Room::everyone) {
      readiness.warn("audit log's disk is full: only reserve_writers write, as long as it lasts");
    }
    readiness.add("checkpoints", auditd_->signing(),
                  "the last one could not be signed, or takes too long");
    const std::string contradiction = contradicted();
    readiness.add("history", contradiction.empty(), contradiction);
    if (const std::string why = auditd_->unwitnessed(); !why.empty()) readiness.warn(why);
    if (!auditd_->immutable()) readiness.warn(kNotImmutable);
  }
  void add_admin_routes(http::Router& router) override {
    auditd::add_admin_routes(router, [this] { return auditd_.get(); });
  }

 private:
  // What the log does not take now, as of a store that was rolled back, it takes at another start.
  async::Task<void> record_made() {
    service::Unrecorded& unrecorded = host_.unrecorded;
    if (unrecorded.entries().empty()) co_return;
    Result<void> recorded = co_await auditd_->record_made(unrecorded.entries());
    if (recorded) recorded = unrecorded.forget();
    if (!recorded) log::warn("keys that were made are not recorded", {{"error", recorded.error()}});
  }
  // Whoever runs as audit-relay tells what witnesses say, and gives no other command.
  Result<void> listen_to_relay() {
    add_witness_route(relay_router_, [this] { return auditd_.get(); });
    std::vector<uid_t> users;
    for (const WriterUser& writer : config_.writers) {
      if (writer.instance == kRelay) users.push_back(writer.uid);
    }
    SR_TRY(http::UnixListener listener,
           http::UnixListener::open(host_.deployment.witness_socket_path()));
    relay_ = http::Server::serve_unix(loop_, std::move(listener), std::move(users), relay_router_,
                                      {.connections_max = kRelayConnectionsMax});
    return {};
  }
  Result<Store> open_store() {
    return Store::open(files_, clock_, random_,
                       {.directory = config_.directory,
                        .instance = host_.deployment.instance,
                        .trust_domain = host_.deployment.trust_domain,
                        .witnesses = config_.witnesses,
                        .reserve_bytes = config_.reserve_bytes,
                        .reserve_writers = config_.reserve_writers,
                        .replay = &replay_},
                       std::move(signer_));
  }
  std::string contradicted() const {
    const auto& seen = auditd_->rolled_back();
    if (!seen && !auditd_->doubts_break()) return {};
    if (!seen) {
      return "the journal tells of a break that is not signed for: restore a copy, or record the "
             "break again with strongroom audit open-shard";
    }
    return fmt::format(
        "rolled back: {} entries of {} were signed for and are not all here; restore a copy that "
        "is at least as new, or record the break with strongroom audit open-shard",
        seen->size, seen->origin);
  }
  std::string progress() const {
    return fmt::format("being read: {} of {} MiB", replay_.bytes_read >> 20,
                       replay_.bytes_total >> 20);
  }

  async::Loop& loop_;
  Host& host_;
  Config config_;
  audit::ImmutableFiles files_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  crypto::Ed25519Signer signer_;  // until the store takes it
  ArchiveKey archive_key_;        // until auditd does
  Replay replay_;
  bool stopping_ = false;
  std::unique_ptr<Auditd> auditd_;  // once the journal is read
  http::Router relay_router_;
  std::unique_ptr<http::Server> relay_;
  async::BlockingPool pool_{1, 1};  // last: its thread uses what stands above
};

class Service final : public service::Service {
 public:
  Service(Host& host, Config config, crypto::Ed25519Signer signer, ArchiveKey archive_key)
      : host_(host),
        config_(std::move(config)),
        signer_(std::move(signer)),
        archive_key_(std::move(archive_key)) {}

  Result<sandbox::Enforced> enter_sandbox() override {
    return sandbox::enter_auditd({.config_folder = host_.deployment.config_folder(),
                                  .key_paths = {},  // read and unsealed already
                                  .token_folder = {},
                                  .audit_folder = config_.directory,
                                  .socket_folder = host_.deployment.audit_socket_folder()});
  }

  Result<std::unique_ptr<service::Worker>> make_worker(async::Loop& loop, std::size_t) override {
    return std::make_unique<Worker>(loop, host_, config_, *std::exchange(signer_, std::nullopt),
                                    std::exchange(archive_key_, std::nullopt));
  }

 private:
  Host& host_;
  Config config_;
  std::optional<crypto::Ed25519Signer> signer_;  // until the one worker takes it
  ArchiveKey archive_key_;                       // the same
};

Start<std::string> place_of(const service::Deployment& deployment) {
  auto place = audit::log_place(deployment.trust_domain, deployment.instance);
  if (!place) return start_failure("[deployment] trust_domain", place.error());
  return *std::move(place);
}

// Nothing where the configuration names none.
Result<ArchiveKey> read_archive_key(const Config& config, const SecretBytes& passphrase) {
  if (config.archive_key_path.empty()) return ArchiveKey();
  SR_TRY(SecretBytes key,
         crypto::read_sealed_file(config.archive_key_path, passphrase, kArchivePurpose));
  SR_TRY(crypto::Aead aead, crypto::Aead::create(std::move(key), kArchiveKeyVersion));
  return ArchiveKey(std::move(aead));
}

Start<std::unique_ptr<service::Service>> open(Host& host) {
  SR_CHECK_OK(place_of(host.deployment));
  SR_TRY(Config config, Config::read(host.deployment));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  const auto seed = crypto::read_sealed_file(config.checkpoint_key_path, passphrase, kPurpose);
  if (!seed) return start_failure(config.checkpoint_key_path, seed.error());
  auto signer = crypto::Ed25519Signer::from_seed(*seed);
  if (!signer) return start_failure(config.checkpoint_key_path, signer.error());
  auto archive_key = read_archive_key(config, passphrase);
  if (!archive_key) return start_failure(config.archive_key_path, archive_key.error());
  return std::make_unique<Service>(host, std::move(config), *std::move(signer),
                                   *std::move(archive_key));
}

// The vkey is named as the operator's log of this year; its place and key are those of all logs.
std::string vkey_text(std::string_view place, const crypto::Ed25519Signer& signer) {
  const std::string year = rfc3339(SystemClock().now_us()).substr(0, 4);
  const audit::NoteKey key{
      .name = audit::log_origin(place, std::string(audit::kOperator) + "-" + year),
      .public_key = signer.public_key()};
  return key.text() + "\n";
}

// Makes the file unless it is there, so an interrupted run is repeated safely.
Result<void> make_key_file(service::Unrecorded& unrecorded, const std::string& path,
                           std::size_t size, const SecretBytes& passphrase,
                           std::string_view purpose) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  return unrecorded.making_key(path, [&]() -> Result<void> {
    crypto::SystemRandom random;
    SR_TRY(const SecretBytes key, crypto::random_secret(random, size));
    return crypto::write_sealed_file(path, key, passphrase, purpose);
  });
}

Result<crypto::Ed25519Signer> make_checkpoint_key(service::Unrecorded& unrecorded,
                                                  const Config& config,
                                                  const SecretBytes& passphrase) {
  SR_CHECK_OK(make_key_file(unrecorded, config.checkpoint_key_path,
                            crypto::Ed25519Signer::kSeedSize, passphrase, kPurpose));
  SR_TRY(const SecretBytes seed,
         crypto::read_sealed_file(config.checkpoint_key_path, passphrase, kPurpose));
  return crypto::Ed25519Signer::from_seed(seed);
}

Start<void> init(Host& host) {
  SR_TRY(const std::string place, place_of(host.deployment));
  SR_TRY(const Config config, Config::read(host.deployment));
  SR_TRY(const SecretBytes passphrase,
         service::read_passphrase(host.deployment.section, config.passphrase));
  const auto signer = make_checkpoint_key(host.unrecorded, config, passphrase);
  if (!signer) return start_failure(config.checkpoint_key_path, signer.error());
  if (!config.archive_key_path.empty()) {
    const auto made = make_key_file(host.unrecorded, config.archive_key_path,
                                    crypto::Aead::kKeySize, passphrase, kArchivePurpose);
    if (!made) return start_failure(config.archive_key_path, made.error());
  }
  const std::string vkey = vkey_text(place, *signer);
  const auto written = write_file_durable(config.public_key_path, as_bytes(vkey), kReadableByAll);
  if (!written) return start_failure(config.public_key_path, written.error());
  return {};
}

}  // namespace
}  // namespace strongroom::auditd

int main(int argc, char** argv) {
  return strongroom::service::run_daemon({.name = "auditd",
                                          .purpose = "the only writer of its host's audit log",
                                          .open = strongroom::auditd::open,
                                          .init = strongroom::auditd::init,
                                          .migrate = nullptr,
                                          .dump = nullptr,
                                          .load = nullptr},
                                         argc, argv);
}

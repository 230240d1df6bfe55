// Ports and configuration texts.
#include "apps/strongroom/init_plan.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/file.h"
#include "base/try.h"
#include "service/deployment.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kConfiguration =
    R"(# Strongroom deployment. Paths are relative to the folder above the one that holds this file.
# Secrets are references ("file:PATH", and "env:NAME" in the demo profile), never values. Unknown
# keys are errors.

[deployment]
profile = {profile}  # demo: test cards only. production: no software HSM unasked
trust_domain = {trust_domain}  # of the services' SPIFFE identities
accept_sandbox_gaps = false       # production: serve though the kernel cannot enforce all of it
secret_memory = "auto"            # auto: memfd_secret where the kernel has it; mlock: never
log_level = "info"                # debug, info, warn, error; read again on SIGHUP

[tls]
ca = "tls/ca/ca.crt"              # who signs the services' certificates

[tickets]
public_keys = "public/tickets.pub"  # authd's public keys, one "kid key" per line

[hsm]
{hsm}
[edged]                           # the public listener
listen = "127.0.0.1:{edged}"
public_certificate = "tls/edged/public.crt"  # shown to clients
public_key = "tls/edged/public.key"
certificate = "tls/edged/edged.crt"  # shown to its neighbors
key = "tls/edged/edged.key"
authd = "127.0.0.1:{authd}"
vaultd = "127.0.0.1:{vaultd}"
gatewayd = "127.0.0.1:{gatewayd}"
audit_relay = "127.0.0.1:{relay}"
workers = 1

[vaultd]
listen = "127.0.0.1:{vaultd}"
certificate = "tls/vaultd/vaultd.crt"
key = "tls/vaultd/vaultd.key"
database = {vault_database}
connectors = {{ stripe = "127.0.0.1:{stripe}" }}  # connectord-NAME, which puts cards at processors
workers = 1

[authd]
listen = "127.0.0.1:{authd}"
certificate = "tls/authd/authd.crt"
key = "tls/authd/authd.key"
database = {auth_database}
ticket_key = "data/authd/ticket.sealed"
passphrase = "file:secrets/authd.passphrase"  # opens ticket_key
workers = 1

[gatewayd]                        # payments by token; sees no card
listen = "127.0.0.1:{gatewayd}"
certificate = "tls/gatewayd/gatewayd.crt"
key = "tls/gatewayd/gatewayd.key"
database = {core_database}
vaultd = "127.0.0.1:{vaultd}"
connectors = {{ stripe = "127.0.0.1:{stripe}" }}  # connectord-NAME, which pays at processors
workers = 1

[auditd]                          # the only writer of this host's audit log
directory = "audit"
checkpoint_key = "data/auditd/checkpoint.sealed"
archive_key = "data/auditd/archive.sealed"    # seals what is older than at_hand_days
passphrase = "file:secrets/auditd.passphrase"  # opens both keys
public_key = "public/audit.vkey"  # for `strongroom audit verify` and witnesses
quota_mib_per_minute = 1024       # of each writer; above it is refused for a while
reserve_mib = 64                  # of the disk, kept for when it is full
reserve_writers = ["vaultd", "connectord-stripe"]  # who may still write then
# Who may write, by the user that each instance runs as.
[auditd.writers]
vaultd = "{uid}"
authd = "{uid}"
gatewayd = "{uid}"
connectord-stripe = "{uid}"
audit-relay = "{uid}"

[audit-relay]                     # shows the audit log to those it concerns; writes none of it
listen = "127.0.0.1:{relay}"
certificate = "tls/audit-relay/audit-relay.crt"
key = "tls/audit-relay/audit-relay.key"
directory = "audit"               # that of [auditd], to read
data = "data/audit-relay"         # its search index, made anew when it is gone

[connectord.stripe]               # the only process that speaks to Stripe
listen = "127.0.0.1:{stripe}"
certificate = "tls/connectord-stripe/connectord-stripe.crt"
key = "tls/connectord-stripe/connectord-stripe.key"
connector = "stripe"
roles = ["store", "pay"]          # production: an instance for each
seal_key = "data/connectord-stripe/seal.sealed"
passphrase = "file:secrets/connectord-stripe.passphrase"  # opens seal_key
{processor}answer_timeout_ms = 30000         # a slower answer is an unknown outcome
connections = 64                  # to Stripe at once, per worker
workers = 1
)";

// Where the processor is: in the demo profile psp-sim, whose certificate the deployment's CA signs.
constexpr std::string_view kSimulated =
    R"(host = "localhost:{}"         # psp-sim, which plays Stripe
ca = "tls/ca/ca.crt"              # who may say that it is there
)";
constexpr std::string_view kGenuine = R"(host = "api.stripe.com:443"
# Where that is, for a sandbox cannot ask DNS; without them it is asked once, at start.
# addresses = ["192.0.2.1"]
ca = "/etc/ssl/certs/ca-certificates.crt"  # who may say that it is there
)";

constexpr std::string_view kTrustDomainCharacters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

// No mechanisms but those of pkcs11::Mechanisms: at each use of a key SoftHSM copies their list.
constexpr std::string_view kSoftHsm = R"(directories.tokendir = {}/hsm/tokens
objectstore.backend = file
log.level = ERROR
slots.removable = false
slots.mechanisms = CKM_AES_KEY_GEN,CKM_GENERIC_SECRET_KEY_GEN,CKM_AES_GCM,CKM_AES_ECB,CKM_SHA256_HMAC
)";

struct Line {
  std::string_view key;
  std::string value;
  std::string_view comment;
};

// What a file of settings may say of a module; the rest has options.
constexpr auto kSettings = std::to_array<std::string_view>(
    {"nss_parameters", "softhsm_conf", "token_folder", "environment", "read_paths", "connects",
     "mechanisms", "inline", "copy_keys", "sessions"});
constexpr std::size_t kSettingsBytesMax = 64 * 1024;

constexpr std::uint16_t kPorts = 7;
using Ports = std::array<std::uint16_t, kPorts>;

// A listening socket's port is nobody else's; several at once are different ones.
Result<Ports> free_ports() {
  Ports ports{};
  std::array<int, kPorts> sockets{};
  for (std::size_t i = 0; i < ports.size(); ++i) {
    sockets[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(sockets[i], generic, size) == 0 && ::getsockname(sockets[i], generic, &size) == 0) {
      ports[i] = ntohs(address.sin_port);
    }
  }
  for (const int fd : sockets) ::close(fd);
  for (const std::uint16_t port : ports) {
    if (port == 0) return fail({ErrorCode::unavailable, "no free ports on 127.0.0.1"});
  }
  return ports;
}

Result<Ports> choose_ports(const std::optional<std::uint16_t>& base) {
  if (!base) return free_ports();
  if (*base == 0 || *base > 65536 - kPorts) {
    return fail({ErrorCode::invalid_argument, "--port-base must be from 1 to 65529"});
  }
  Ports ports{};
  std::iota(ports.begin(), ports.end(), *base);
  return ports;
}

// A TOML basic string (TOML 1.0, "String").
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string database_text(const std::string& url, std::string_view file) {
  return toml_string(url.empty() ? fmt::format("sqlite:data/{}", file) : url);
}

using Why = std::unexpected<std::string>;

std::string absolute(const std::string& path) {
  std::error_code ignored;
  return path.empty() ? path : std::filesystem::absolute(path, ignored).lexically_normal().string();
}

bool has_header(const std::string& toml) {
  std::istringstream lines(toml);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string::npos && line[first] == '[') return true;
  }
  return false;
}

// Reads the lines for [hsm] and which keys they have.
std::expected<void, std::string> read_settings(InitPlan& plan) {
  const std::string& path = plan.options.hsm_settings_file;
  if (path.empty()) return {};
  auto text = read_file(path, kSettingsBytesMax);
  if (!text) return Why(fmt::format("{}: {}", path, text.error().what()));
  const auto file = ConfigFile::parse(*text, path, "/");
  if (!file) return Why(file.error().text());
  // Lines of one section they stay, between others: a header would begin the next.
  if (has_header(*text)) {
    return Why(path + ": lines for [hsm] have no headers; tables stand in { }");
  }
  const std::vector<std::string> keys = file->section("")->keys();
  for (const std::string& key : keys) {
    if (std::ranges::find(kSettings, key) == kSettings.end()) {
      return Why(fmt::format("{}: '{}' cannot stand here (docs/hsm.md)", path, key));
    }
    plan.hsm_keys.insert(key);
  }
  plan.hsm_settings = *std::move(text);
  if (!plan.hsm_settings.ends_with('\n')) plan.hsm_settings += '\n';
  return {};
}

// The section [hsm]. A key in the settings takes the place of a line here.
std::string hsm_text(const InitPlan& plan) {
  const InitOptions& options = plan.options;
  const std::string fast = plan.soft_hsm ? "true" : "false";
  std::vector<Line> lines{
      {"module", toml_string(options.hsm_module), ""},
      {"token", toml_string(options.hsm_token), "label of the token"},
      {"pin",
       plan.has_token() ? toml_string("file:" + options.hsm_pin_file) : "\"file:secrets/hsm.pin\"",
       ""}};
  if (!plan.has_token()) {
    lines.push_back({"so_pin", "\"file:secrets/hsm.so_pin\"", "needed by vaultd --init alone"});
  }
  lines.push_back({"hsm_assurance", toml_string(options.hsm_assurance),
                   "of the module; production takes SoftHSM only as \"software\""});
  if (plan.soft_hsm) {
    lines.push_back({"softhsm_conf", "\"hsm/softhsm2.conf\"", "SoftHSM finds its token by it"});
  }
  lines.push_back({"inline", fast, "on the worker's own thread: for a fast module"});
  lines.push_back(
      {"copy_keys", fast, "session copies of keys at start: 2.5 times faster on SoftHSM"});
  lines.push_back({"sessions", "2", "when not inline: threads that wait for the module"});
  std::string text;
  for (const Line& line : lines) {
    if (plan.hsm_keys.contains(std::string(line.key))) continue;
    const std::string set = fmt::format("{} = {}", line.key, line.value);
    text += line.comment.empty() ? set + "\n" : fmt::format("{:<33} # {}\n", set, line.comment);
  }
  return text + plan.hsm_settings;
}

}  // namespace

std::expected<InitPlan, std::string> make_plan(InitOptions options) {
  if (options.trust_domain.empty() ||
      options.trust_domain.find_first_not_of(kTrustDomainCharacters) != std::string::npos) {
    return Why("--trust-domain takes a-z, 0-9, '.', '-' and '_'");
  }
  const bool software = service::is_software_module(options.hsm_module);
  if (software && options.profile == "production" && options.hsm_assurance != "software") {
    return Why(
        "the production profile wants --hsm-module of a hardware module; to go without one,"
        " and have every report say so, give --hsm-assurance software");
  }
  if (options.hsm_assurance.empty()) options.hsm_assurance = software ? "software" : "hardware";
  const auto chosen = choose_ports(options.port_base);
  if (!chosen) return Why(std::string(chosen.error().what()));
  const Ports& ports = *chosen;
  options.hsm_pin_file = absolute(options.hsm_pin_file);
  InitPlan plan{.options = std::move(options),
                .edged_port = ports[0],
                .authd_port = ports[1],
                .vaultd_port = ports[2],
                .stripe_port = ports[3],
                .gatewayd_port = ports[4],
                .simulator_port = ports[5],
                .relay_port = ports[6]};
  // A token that is there already has a configuration of SoftHSM's somewhere, too.
  plan.soft_hsm = plan.options.hsm_module.contains("softhsm") && !plan.has_token();
  if (const auto read = read_settings(plan); !read) return Why(read.error());
  return plan;
}

std::string configuration_text(const InitPlan& plan) {
  const std::string processor = plan.options.profile == "demo"
                                    ? fmt::format(fmt::runtime(kSimulated), plan.simulator_port)
                                    : std::string(kGenuine);
  return fmt::format(
      fmt::runtime(kConfiguration), fmt::arg("profile", toml_string(plan.options.profile)),
      fmt::arg("trust_domain", toml_string(plan.options.trust_domain)),
      fmt::arg("hsm", hsm_text(plan)), fmt::arg("edged", plan.edged_port),
      fmt::arg("authd", plan.authd_port), fmt::arg("vaultd", plan.vaultd_port),
      fmt::arg("stripe", plan.stripe_port), fmt::arg("gatewayd", plan.gatewayd_port),
      fmt::arg("relay", plan.relay_port), fmt::arg("processor", processor),
      fmt::arg("vault_database", database_text(plan.options.vault_database, "vaultd/vault.db")),
      fmt::arg("auth_database", database_text(plan.options.auth_database, "authd/auth.db")),
      fmt::arg("core_database", database_text(plan.options.core_database, "gatewayd/core.db")),
      fmt::arg("uid", ::geteuid()));
}

std::string softhsm_text(std::string_view directory) {
  return fmt::format(fmt::runtime(kSoftHsm), directory);
}

}  // namespace strongroom::tool

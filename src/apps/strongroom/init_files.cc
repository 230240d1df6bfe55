// Folders, certificates, secrets, configuration.
#include "apps/strongroom/init_files.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/certificate.h"
#include "crypto/random.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kReadable = 0644;
constexpr mode_t kOwnerFolder = 0700;
constexpr std::size_t kSecretBytes = 20;

constexpr auto kFolders = std::to_array<std::string_view>({"etc",
                                                           "tls",
                                                           "tls/ca",
                                                           "tls/edged",
                                                           "tls/vaultd",
                                                           "tls/authd",
                                                           "tls/gatewayd",
                                                           "tls/connectord-stripe",
                                                           "tls/audit-relay",
                                                           "tls/psp-sim",
                                                           "public",
                                                           "secrets",
                                                           "hsm",
                                                           "hsm/tokens",
                                                           "data",
                                                           "data/vaultd",
                                                           "data/authd",
                                                           "data/gatewayd",
                                                           "data/auditd",
                                                           "data/connectord-stripe",
                                                           "data/audit-relay",
                                                           "audit",
                                                           "run",
                                                           "run/auditd",
                                                           "log"});
constexpr auto kPins = std::to_array<std::string_view>({"hsm.pin", "hsm.so_pin"});
constexpr auto kPassphrases = std::to_array<std::string_view>(
    {"authd.passphrase", "auditd.passphrase", "connectord-stripe.passphrase"});

constexpr std::string_view kCaCertificate = "tls/ca/ca.crt";
constexpr std::string_view kCaKey = "secrets/ca.key";

std::string secret_path(std::string_view name) { return fmt::format("secrets/{}", name); }

// Files in secrets/ that are made.
std::vector<std::string_view> secrets_of(const InitPlan& plan) {
  std::vector<std::string_view> names(kPassphrases.begin(), kPassphrases.end());
  if (!plan.has_token()) names.insert(names.end(), kPins.begin(), kPins.end());
  return names;
}

std::string path_in(const InitPlan& plan, std::string_view name) {
  return fmt::format("{}/{}", plan.options.directory, name);
}

// Leaf is one certificate to make, and where it goes in DIR (".crt" and ".key" are added).
struct Leaf {
  std::string_view path;
  std::string_view identity;  // of its SPIFFE URI; empty: none, for clients from outside
  bool server;
  bool client;
  bool demo_only = false;
};
constexpr std::array<Leaf, 9> kLeaves{
    Leaf{.path = "tls/edged/edged", .identity = "edged", .server = false, .client = true},
    Leaf{.path = "tls/edged/public", .identity = "", .server = true, .client = false},
    Leaf{.path = "tls/vaultd/vaultd", .identity = "vaultd", .server = true, .client = true},
    Leaf{.path = "tls/authd/authd", .identity = "authd", .server = true, .client = false},
    Leaf{.path = "tls/gatewayd/gatewayd", .identity = "gatewayd", .server = true, .client = true},
    Leaf{.path = "tls/connectord-stripe/connectord-stripe",
         .identity = "connectord-stripe",
         .server = true,
         .client = false},
    Leaf{.path = "tls/audit-relay/audit-relay",
         .identity = "audit-relay",
         .server = true,
         .client = false},
    Leaf{.path = "tls/psp-sim/psp-sim",
         .identity = "",
         .server = true,
         .client = false,
         .demo_only = true},
    Leaf{.path = "tls/loadgen",
         .identity = "loadgen",
         .server = false,
         .client = true,
         .demo_only = true}};

bool is_made(const InitPlan& plan, const Leaf& leaf) {
  return !leaf.demo_only || plan.options.profile == "demo";
}

crypto::CertificateRequest request_of(const InitPlan& plan, const Leaf& leaf) {
  crypto::CertificateRequest request{.common_name = std::string(leaf.identity),
                                     .spiffe_uri = {},
                                     .dns_names = {"localhost"},
                                     .ip_addresses = {"127.0.0.1"},
                                     .server = leaf.server,
                                     .client = leaf.client};
  if (leaf.identity.empty()) {
    request.common_name = "Strongroom";
  } else {
    request.spiffe_uri = fmt::format("spiffe://{}/{}", plan.options.trust_domain, leaf.identity);
  }
  return request;
}

Result<void> write_certificate(const InitPlan& plan, const Leaf& leaf,
                               const crypto::IssuedCertificate& issued) {
  SR_CHECK_OK(write_file_durable(path_in(plan, fmt::format("{}.crt", leaf.path)),
                                 as_bytes(issued.certificate_pem), kReadable));
  return write_file_durable(path_in(plan, fmt::format("{}.key", leaf.path)),
                            issued.key_pem.reveal(), kOwnerOnly);
}

}  // namespace

Result<void> write_folders(const std::string& directory) {
  for (const std::string_view folder : kFolders) {
    if (::mkdir(fmt::format("{}/{}", directory, folder).c_str(), kOwnerFolder) != 0) {
      return fail(Error{ErrorCode::unavailable, "folder cannot be made"}.with_detail(
          static_cast<std::uint32_t>(errno)));
    }
  }
  return {};
}

std::vector<service::Object> keys_to_make(const InitPlan& plan) {
  std::vector<service::Object> objects{
      {.names = {std::string(kCaCertificate), std::string(kCaKey)}}};
  for (const Leaf& leaf : kLeaves) {
    if (!is_made(plan, leaf)) continue;
    objects.push_back(
        {.names = {fmt::format("{}.crt", leaf.path), fmt::format("{}.key", leaf.path)}});
  }
  for (const std::string_view name : secrets_of(plan)) {
    objects.push_back({.names = {secret_path(name)}});
  }
  return objects;
}

Result<void> write_certificates(const InitPlan& plan) {
  crypto::SystemRandom random;
  const SystemClock clock;
  SR_TRY(const crypto::IssuedCertificate authority,
         crypto::make_certificate_authority("Strongroom service CA", random, clock));
  SR_CHECK_OK(write_file_durable(path_in(plan, kCaCertificate), as_bytes(authority.certificate_pem),
                                 kReadable));
  SR_CHECK_OK(write_file_durable(path_in(plan, kCaKey), authority.key_pem.reveal(), kOwnerOnly));
  for (const Leaf& leaf : kLeaves) {
    if (!is_made(plan, leaf)) continue;
    SR_TRY(const crypto::IssuedCertificate issued,
           crypto::issue_certificate(authority, request_of(plan, leaf), random, clock));
    SR_CHECK_OK(write_certificate(plan, leaf, issued));
  }
  return {};
}

Result<void> write_secrets(const InitPlan& plan) {
  crypto::SystemRandom random;
  for (const std::string_view name : secrets_of(plan)) {
    SR_TRY(const SecretBytes secret, crypto::random_secret(random, kSecretBytes));
    std::string text = base32(secret.reveal());
    const auto written =
        write_file_durable(path_in(plan, secret_path(name)), as_bytes(text), kOwnerOnly);
    wipe(std::as_writable_bytes(std::span(text)));
    SR_CHECK_OK(written);
  }
  return {};
}

Result<void> write_configuration(const InitPlan& plan) {
  if (plan.soft_hsm) {
    const std::string text = softhsm_text(plan.options.directory);
    SR_CHECK_OK(write_file_durable(path_in(plan, "hsm/softhsm2.conf"), as_bytes(text), kOwnerOnly));
  }
  const std::string text = configuration_text(plan);
  return write_file_durable(path_in(plan, "etc/strongroom.toml"), as_bytes(text), kOwnerOnly);
}

}  // namespace strongroom::tool

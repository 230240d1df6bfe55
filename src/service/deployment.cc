// Reading the common part of strongroom.toml.
#include "service/deployment.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "base/try.h"
#include "wire/sealed_head.h"

namespace strongroom::service {
namespace {

constexpr std::size_t kPemBytesMax = 64 * 1024;
constexpr std::size_t kTicketKeysBytesMax = 64 * 1024;

// "connectord-stripe" of program "connectord" is the table [connectord.stripe].
std::string section_of(std::string_view program, std::string_view instance) {
  if (instance == program) return std::string(program);
  return fmt::format("{}.{}", program, instance.substr(program.size() + 1));
}

ConfigResult<void> read_common(Deployment& deployment) {
  SR_TRY(ConfigSection common, deployment.file.section("deployment"));
  static_cast<void>(common.text_or("profile", {}));  // ConfigFile has read it
  deployment.trust_domain = common.text("trust_domain");
  deployment.allow_memfd_secret =
      common.choice("secret_memory", {"auto", "mlock"}, "auto") == "auto";
  deployment.accept_sandbox_gaps = common.flag("accept_sandbox_gaps", false);
  const std::string level = common.choice("log_level", {"debug", "info", "warn", "error"}, "info");
  if (const auto parsed = log::parse_level(level)) deployment.log_level = *parsed;
  SR_CHECK_OK(common.finish());
  SR_TRY(ConfigSection tls, deployment.file.section("tls"));
  deployment.ca_path = tls.path("ca");
  SR_CHECK_OK(tls.finish());
  SR_TRY(ConfigSection tickets, deployment.file.section("tickets"));
  deployment.ticket_keys_path = tickets.path("public_keys");
  return tickets.finish();
}

struct AnyAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Numeric addresses only; an empty result for anything else.
std::optional<AnyAddress> socket_address(const Address& where) {
  AnyAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, where.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(where.port);
    address.size = sizeof(sockaddr_in);
    return address;
  }
  if (::inet_pton(AF_INET6, where.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(where.port);
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  return std::nullopt;
}

Result<http::TlsOptions> read_tls(const Credentials& credentials) {
  http::TlsOptions options;
  SR_TRY(options.certificate_pem, read_file(credentials.certificate_path, kPemBytesMax));
  SR_TRY(options.key_pem, read_secret_file(credentials.key_path, kPemBytesMax));
  return options;
}

Result<http::TlsOptions> read_service_tls(const Deployment& deployment,
                                          const Credentials& credentials) {
  SR_TRY(http::TlsOptions options, read_tls(credentials));
  SR_TRY(options.ca_pem, read_file(deployment.ca_path, kPemBytesMax));
  options.trust_domain = deployment.trust_domain;
  return options;
}

}  // namespace

ConfigResult<Deployment> Deployment::load(const std::string& config_path, std::string_view program,
                                          std::string_view instance) {
  Deployment deployment;
  deployment.config_path = std::filesystem::absolute(config_path).lexically_normal().string();
  SR_TRY(deployment.file,
         ConfigFile::load(config_path, folder_of(folder_of(deployment.config_path))));
  deployment.directory = deployment.file.folder();
  deployment.profile = deployment.file.profile();
  deployment.program = program;
  deployment.instance = instance;
  deployment.section = section_of(program, instance);
  SR_CHECK_OK(deployment.file.expect_sections({"deployment", "tls", "tickets", "hsm", "edged",
                                               "vaultd", "authd", "gatewayd", "connectord",
                                               "auditd", "audit-relay"}));
  SR_CHECK_OK(read_common(deployment));
  return deployment;
}

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string Deployment::config_folder() const { return folder_of(config_path); }
std::string Deployment::run_path(std::string_view name) const {
  return fmt::format("{}/run/{}", directory, name);
}
std::string Deployment::lock_path() const { return run_path(instance + ".lock"); }
std::string Deployment::admin_socket_path() const { return run_path(instance + ".admin.sock"); }
std::string Deployment::audit_socket_folder() const { return run_path("auditd"); }
std::string Deployment::witness_socket_path() const { return run_path("auditd/witness.sock"); }
std::string Deployment::audit_socket_path() const { return run_path("auditd/intake.sock"); }

Result<uid_t> Deployment::auditd_uid() const {
  struct stat folder{};
  if (::stat(audit_socket_folder().c_str(), &folder) != 0) {
    return fail(
        Error{ErrorCode::not_found, "the folder of auditd's socket is not there"}.with_detail(
            static_cast<std::uint32_t>(errno)));
  }
  if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail({ErrorCode::permission_denied, "must be writable by auditd's user alone"});
  }
  return folder.st_uid;
}

bool is_software_module(std::string_view path) {
  return path.contains("softhsm") || path.contains("softokn");
}

Result<Address> parse_address(std::string_view text) {
  constexpr Error kNotAnAddress{ErrorCode::invalid_argument,
                                "must be an IP address and a port, as 127.0.0.1:8443"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(kNotAnAddress);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return fail(kNotAnAddress);  // which colon ends an IPv6 address is not for us to guess
  }
  Address where{.host = std::string(host), .port = 0};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), where.port);
  if (error != std::errc{} || end != port.data() + port.size() || where.port == 0 ||
      !socket_address(where)) {
    return fail(kNotAnAddress);
  }
  return where;
}

Address read_address(ConfigSection& section, std::string_view key) {
  const std::string text = section.text(key);
  auto where = parse_address(text);
  if (where) return *std::move(where);
  section.refuse(key, where.error());
  return {};
}

std::string text_of(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

std::map<std::string, Address> read_places(ConfigSection& section, std::string_view key) {
  constexpr Error kNoName{ErrorCode::invalid_argument, "names are 1 to 32 of a-z, 0-9 and '-'"};
  std::map<std::string, Address> places;
  for (const auto& [name, text] : section.table(key)) {
    const auto where = parse_address(text);
    if (!wire::is_connector_name(name)) {
      section.refuse(key, kNoName);
    } else if (!where) {
      section.refuse(key, where.error());
    } else {
      places.emplace(name, *where);
    }
  }
  return places;
}

std::map<std::string, Address> read_vaultds(ConfigSection& section) {
  if (!section.has("vaultds")) return {{"vaultd", read_address(section, "vaultd")}};
  std::map<std::string, Address> places = read_places(section, "vaultds");
  if (places.empty()) {
    section.refuse("vaultds", {ErrorCode::invalid_argument, "must name one or more"});
  }
  return places;
}

Result<void> require_free(const Address& where) {
  const auto address = socket_address(where);
  if (!address) return fail({ErrorCode::invalid_argument, "not an IP address"});
  const int fd = ::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(
        Error{ErrorCode::unavailable, "no socket"}.with_detail(static_cast<std::uint32_t>(errno)));
  }
  const int on = 1;  // connections of an earlier run that linger in TIME_WAIT are no obstacle
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size);
  const int reason = errno;
  ::close(fd);
  if (bound == 0) return {};
  if (reason == EADDRINUSE)
    return fail({ErrorCode::conflict, "port in use: end who listens there, or choose another"});
  return fail(Error{ErrorCode::unavailable, "address cannot be used"}.with_detail(
      static_cast<std::uint32_t>(reason)));
}

std::string text_of(const Credentials& credentials) {
  return fmt::format("certificate {} and key {}", credentials.certificate_path,
                     credentials.key_path);
}

Credentials read_credentials(ConfigSection& section) {
  Credentials credentials;
  credentials.certificate_path = section.path("certificate");
  credentials.key_path = section.path("key");
  return credentials;
}

Result<std::shared_ptr<const http::TlsContext>> load_server_tls(const Deployment& deployment,
                                                                const Credentials& credentials) {
  SR_TRY(const http::TlsOptions options, read_service_tls(deployment, credentials));
  return http::TlsContext::server(options);
}

Result<std::shared_ptr<const http::TlsContext>> load_client_tls(const Deployment& deployment,
                                                                const Credentials& credentials) {
  SR_TRY(const http::TlsOptions options, read_service_tls(deployment, credentials));
  return http::TlsContext::client(options);
}

Result<std::shared_ptr<const http::TlsContext>> load_public_tls(const Credentials& credentials) {
  SR_TRY(const http::TlsOptions options, read_tls(credentials));
  return http::TlsContext::server(options);
}

Result<std::string> load_ticket_keys(const Deployment& deployment) {
  struct stat info{};
  if (::stat(deployment.ticket_keys_path.c_str(), &info) != 0) {
    return fail(Error{ErrorCode::not_found, "ticket key file cannot be read"}.with_detail(
        static_cast<std::uint32_t>(errno)));
  }
  const bool own = deployment.profile == Profile::demo && info.st_uid == ::geteuid();
  if ((info.st_uid != 0 && !own) || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail({ErrorCode::permission_denied,
                 "ticket key file must belong to root and be writable by nobody else"});
  }
  return read_file(deployment.ticket_keys_path, kTicketKeysBytesMax);
}

}  // namespace strongroom::service

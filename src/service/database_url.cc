// Enough of RFC 3986 and libpq's URI form to know ports, files and passwords; libpq itself parses
// the URI that counts.
#include "service/database_url.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace strongroom::service {
namespace {

// Above the statement time-out that storage sets.
constexpr std::chrono::seconds kPostgresCommitLagMax{10};

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::array<std::string_view, 2> kPostgres{"postgresql://", "postgres://"};
constexpr std::array<std::string_view, 5> kFileParameters{"sslrootcert", "sslcert", "sslkey",
                                                          "sslcrl", "passfile"};
constexpr std::uint16_t kPostgresPort = 5432;

// postgresql://<authority>/<database>?<parameters>
struct UriParts {
  std::string_view user;   // with a password, if there is one
  std::string_view hosts;  // host[:port], comma-separated
  std::string_view parameters;
};

UriParts split(std::string_view uri) {
  std::string_view rest = uri.substr(uri.find("://") + 3);
  UriParts parts;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    parts.parameters = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::size_t at = authority.rfind('@');
  parts.user = at == std::string_view::npos ? std::string_view{} : authority.substr(0, at);
  parts.hosts = at == std::string_view::npos ? authority : authority.substr(at + 1);
  return parts;
}

std::vector<std::string_view> pieces(std::string_view text, char separator) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::string_view parameter(const UriParts& uri, std::string_view name) {
  for (const std::string_view piece : pieces(uri.parameters, '&')) {
    const std::size_t equals = piece.find('=');
    if (equals != std::string_view::npos && piece.substr(0, equals) == name) {
      return piece.substr(equals + 1);
    }
  }
  return {};
}

std::uint16_t port_or_default(std::string_view text) {
  std::uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port == 0 ? kPostgresPort : port;
}

bool is_socket_folder(std::string_view host) {
  return host.starts_with("/") || host.starts_with("%2F") || host.starts_with("%2f");
}

// Of hosts in the authority, or in the parameter `host`, which go before them; so do ports.
std::vector<std::uint16_t> tcp_ports(const UriParts& uri) {
  const bool named = !parameter(uri, "host").empty();
  const auto hosts = pieces(named ? parameter(uri, "host") : uri.hosts, ',');
  const bool sockets = parameter(uri, "hostaddr").empty();
  if (sockets && std::ranges::all_of(hosts, &is_socket_folder)) return {};
  std::vector<std::uint16_t> ports;
  for (const std::string_view port : pieces(parameter(uri, "port"), ',')) {
    ports.push_back(port_or_default(port));
  }
  if (!ports.empty()) return ports;
  for (const std::string_view host : pieces(uri.hosts, ',')) {
    if (is_socket_folder(host)) continue;
    const std::size_t colon = host.rfind(':');
    const bool has_port = colon != std::string_view::npos && !host.substr(colon).contains(']');
    ports.push_back(has_port ? port_or_default(host.substr(colon + 1)) : kPostgresPort);
  }
  if (ports.empty()) ports.push_back(kPostgresPort);
  return ports;
}

DatabaseUrl postgres_url(std::string text, ConfigSection& section, std::string_view key) {
  const UriParts uri = split(text);
  if (uri.user.contains(':') || !parameter(uri, "password").empty()) {
    section.refuse(key, {ErrorCode::invalid_argument,
                         "must not hold a password: use passfile or a client certificate"});
    return {};
  }
  DatabaseUrl url{.text = {},
                  .sqlite_folder = {},
                  .ports = tcp_ports(uri),
                  .commit_lag_max = kPostgresCommitLagMax,
                  .files = {}};
  for (const std::string_view name : kFileParameters) {
    const std::string_view path = parameter(uri, name);
    if (path.starts_with('/')) url.files.emplace_back(path);
  }
  url.text = std::move(text);
  return url;
}

}  // namespace

DatabaseUrl database_url(const Deployment& deployment, ConfigSection& section,
                         std::string_view key) {
  std::string text = section.text(key);
  if (text.starts_with(kSqlite)) {
    const auto file = std::filesystem::path(deployment.directory) / text.substr(kSqlite.size());
    return {.text = fmt::format("{}{}", kSqlite, file.string()),
            .sqlite_folder = file.parent_path().string(),
            .ports = {},
            .commit_lag_max = {},
            .files = {}};
  }
  const bool postgres = std::ranges::any_of(
      kPostgres, [&](std::string_view scheme) { return text.starts_with(scheme); });
  if (postgres) return postgres_url(std::move(text), section, key);
  if (!text.empty()) {
    section.refuse(key,
                   {ErrorCode::invalid_argument, "must be sqlite:PATH or a postgresql:// URI"});
  }
  return {};
}

Start<void> require_folder(const DatabaseUrl& url) {
  std::error_code error;
  if (url.sqlite_folder.empty() || std::filesystem::exists(url.sqlite_folder, error)) return {};
  return start_failure(url.sqlite_folder,
                       {ErrorCode::not_found,
                        "no such folder for the database; was the deployment moved? Then mend"
                        " `database` in its configuration"});
}

}  // namespace strongroom::service

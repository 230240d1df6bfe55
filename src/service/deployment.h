// Deployment: what every process reads of strongroom.toml, the one file of a deployment. The folder
// that holds the file is DIR; relative paths in it start there. Each daemon reads its own section
// through `file`.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "http/tls.h"
#include "service/start_error.h"

namespace strongroom::service {

struct Deployment {
  ConfigFile file;
  std::string directory;         // DIR, absolute
  std::string instance;          // "vaultd", "connectord-stripe": lock, sockets, identity, log
  std::string section;           // "vaultd", "connectord.stripe": the table of this instance
  Profile profile;               // [deployment] profile
  std::string trust_domain;      // [deployment] trust_domain
  bool allow_memfd_secret;       // [deployment] secret_memory = "auto" | "mlock"
  std::string log_level;         // [deployment] log_level = "debug|info|warn|error", default info
  std::string ca_path;           // [tls] ca: PEM of the service CA
  std::string ticket_keys_path;  // [tickets] public_keys: authd's public keys, root-owned

  // Reads `config_path` for `instance` of `program`.
  [[nodiscard]] static std::expected<Deployment, ConfigError> load(const std::string& config_path,
                                                                   std::string_view program,
                                                                   std::string_view instance);
  // DIR/run/<name>: sockets and locks.
  [[nodiscard]] std::string run_path(std::string_view name) const;
  [[nodiscard]] std::string lock_path() const;          // DIR/run/<instance>.lock
  [[nodiscard]] std::string admin_socket_path() const;  // DIR/run/<instance>.admin.sock
  [[nodiscard]] std::string audit_socket_path() const;  // DIR/run/auditd.sock
};

// "127.0.0.1:8443" or "[::1]:8443".
struct Address {
  std::string host;  // an IP address or "localhost"
  std::uint16_t port = 0;
};
// invalid_argument; port 0 is refused: a daemon's address is what its neighbors have configured.
[[nodiscard]] Result<Address> parse_address(std::string_view text);
// conflict when somebody listens on `address`. SO_REUSEPORT, by which workers share a port, would
// let a second process of the same user join unnoticed.
[[nodiscard]] Result<void> require_free(const Address& address);

// The certificate of an instance, as its section names it: `certificate` and `key`, PEM files.
struct Credentials {
  std::string certificate_path;
  std::string key_path;
};

// TLS of one instance, read from the files now. Call again on SIGHUP and hand the new context to
// Server::set_tls. invalid_argument, not_found, permission_denied (key readable by others).
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_server_tls(
    const Deployment& deployment, const Credentials& credentials);
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_client_tls(
    const Deployment& deployment, const Credentials& credentials);
// The public listener's: the same certificate form, no client certificate asked for.
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_public_tls(
    const Credentials& credentials);

}  // namespace strongroom::service

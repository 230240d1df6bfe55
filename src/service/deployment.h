// Deployment: what every process reads of DIR/etc/strongroom.toml, the one file of a deployment.
// The file has a folder of its own, so that a sandbox can allow the folder and the file can be
// replaced by renaming; DIR is the folder above it, and relative paths in the file start there.
// Each daemon reads its own section through `file`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/log.h"
#include "base/result.h"
#include "http/tls.h"

namespace strongroom::service {

struct Deployment {
  ConfigFile file;
  std::string config_path;           // absolute
  std::string directory;             // DIR, absolute
  Profile profile{};                 // [deployment] profile
  std::string program;               // "connectord"
  std::string instance;              // "connectord-stripe": lock, sockets, identity, log
  std::string section;               // "connectord.stripe": the table of this instance
  std::string trust_domain;          // [deployment] trust_domain
  bool allow_memfd_secret = true;    // [deployment] secret_memory = "auto" | "mlock"
  bool accept_sandbox_gaps = false;  // [deployment]: serve in production on a kernel with gaps
  log::Level log_level{};            // [deployment] log_level, info by default
  std::string ca_path;               // [tls] ca: PEM of the service CA
  std::string ticket_keys_path;      // [tickets] public_keys: authd's public keys

  // Reads the common part of `config_path` (DIR/etc/strongroom.toml) for `instance` of `program`.
  // Also refuses sections that no program reads.
  [[nodiscard]] static ConfigResult<Deployment> load(const std::string& config_path,
                                                     std::string_view program,
                                                     std::string_view instance);
  [[nodiscard]] std::string config_folder() const;                  // DIR/etc
  [[nodiscard]] std::string run_path(std::string_view name) const;  // DIR/run/<name>
  [[nodiscard]] std::string lock_path() const;                      // DIR/run/<instance>.lock
  [[nodiscard]] std::string admin_socket_path() const;              // DIR/run/<instance>.admin.sock
  // DIR/run/auditd, where only auditd may write: whoever else could, could put a log of its own in
  // auditd's place.
  [[nodiscard]] std::string audit_socket_folder() const;
  [[nodiscard]] std::string audit_socket_path() const;  // DIR/run/auditd/intake.sock
  // DIR/run/auditd/witness.sock, where audit-relay tells auditd what witnesses say.
  [[nodiscard]] std::string witness_socket_path() const;
  // The user that auditd runs as: who owns audit_socket_folder(). permission_denied when others may
  // write there; not_found.
  [[nodiscard]] Result<uid_t> auditd_uid() const;
};
// The folder of `path`. Sandboxes allow it instead of a file that is replaced by renaming while
// they run, for a rule holds on to the file itself.
[[nodiscard]] std::string folder_of(const std::string& path);

// Whether the PKCS#11 module at `path` is one that keeps its keys in this host's files and memory,
// as far as its file's name tells: SoftHSM or NSS softokn.
[[nodiscard]] bool is_software_module(std::string_view path);

struct Address {
  std::string host;  // an IP address
  std::uint16_t port = 0;
};
// "127.0.0.1:8443" or "[::1]:8443". Addresses only: names would need DNS, and a neighbor proves who
// it is by its certificate, wherever it stands. invalid_argument, also for port 0.
[[nodiscard]] Result<Address> parse_address(std::string_view text);
// The same form again.
[[nodiscard]] std::string text_of(const Address& address);
// The address at `key` of a section; refuses it there when it is none.
[[nodiscard]] Address read_address(ConfigSection& section, std::string_view key);
// The table at `key` of a section, {stripe = "127.0.0.1:8446"}: where each instance is, by its
// name. Refuses what is no name or no address; empty where there is no table.
[[nodiscard]] std::map<std::string, Address> read_places(ConfigSection& section,
                                                         std::string_view key);
// The same of the vaultd that work on one database: `vaultds`, or `vaultd` where there is one.
[[nodiscard]] std::map<std::string, Address> read_vaultds(ConfigSection& section);
// conflict when somebody listens on `address`: SO_REUSEPORT, by which workers share a port, would
// let a second process of the same user join unnoticed. unavailable (detail: errno) when it is none
// of this host's.
[[nodiscard]] Result<void> require_free(const Address& address);

// Where the certificate and key of an instance stand, PEM files: `certificate` and `key` of its
// section.
struct Credentials {
  std::string certificate_path;
  std::string key_path;
};
[[nodiscard]] Credentials read_credentials(ConfigSection& section);
// Both files' names, for who could not read one of them.
[[nodiscard]] std::string text_of(const Credentials& credentials);

// TLS of one instance, read from the files now. Call again on SIGHUP and hand the new context to
// Server::set_tls or Client::set_tls. invalid_argument, not_found, permission_denied (also for a
// key that others can read).
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_server_tls(
    const Deployment& deployment, const Credentials& credentials);
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_client_tls(
    const Deployment& deployment, const Credentials& credentials);
// The public listener's: no client certificate is asked for.
[[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load_public_tls(
    const Credentials& credentials);

// The lines of the ticket key file, for http::TicketVerifier. Whoever can write that file can act
// as any merchant: permission_denied unless root (in the demo profile: or this process's user) owns
// it and nobody else may write it.
[[nodiscard]] Result<std::string> load_ticket_keys(const Deployment& deployment);

}  // namespace strongroom::service

// The whole list of what vaultd may do.
#include "sandbox/vaultd.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_vaultd(const VaultdPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration, certificates and public ticket keys again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_paths(rights.read_paths, name_files());
  // Configuration and certificates of a module whose device is elsewhere.
  add_paths(rights.read_paths, paths.module_paths);
  // SoftHSM and NSS softokn keep keys and locks in files; rotation makes new ones.
  add_path(rights.write_paths, paths.token_folder);
  // SQLite: the database, its WAL and shared memory, and their removal.
  add_path(rights.write_paths, paths.database_folder);
  // auditd's intake. The admin socket is open already.
  rights.unix_sockets = true;
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // Cards and DEKs in flight live in locked memory.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

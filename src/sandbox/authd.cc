// The whole list of what authd may do.
#include "sandbox/authd.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_authd(const AuthdPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration, certificates and, after a rotation, the keys again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_paths(rights.read_paths, paths.key_paths);
  add_paths(rights.read_paths, name_files());
  // SQLite: the database, its WAL and shared memory, and their removal.
  add_path(rights.write_paths, paths.database_folder);
  // auditd's intake. The admin socket is open already.
  rights.unix_sockets = true;
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // The keys live in locked memory.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

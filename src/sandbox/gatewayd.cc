// The whole list of what gatewayd may do. It opens no connection to the outside.
#include "sandbox/gatewayd.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_gatewayd(const GatewaydPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration, certificates and ticket keys again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_paths(rights.read_paths, name_files());
  // SQLite: the database, its WAL and shared memory, and their removal.
  add_path(rights.write_paths, paths.database_folder);
  // auditd's intake. The admin socket is open already.
  rights.unix_sockets = true;
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // Request bodies lie in locked memory, as everywhere.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

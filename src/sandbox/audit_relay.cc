// The whole list of what audit-relay may do. It reads the audit log and cannot write it: what it
// shows is evidence, and auditd alone makes that.
#include "sandbox/audit_relay.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_audit_relay(const AuditRelayPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration, certificates and ticket keys again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_paths(rights.read_paths, name_files());
  add_path(rights.read_paths, paths.audit_folder);
  // SQLite: the index, its WAL and shared memory. And exports to files.
  add_paths(rights.write_paths, paths.data_folders);
  // auditd's intake, and its socket for what witnesses say. The own admin socket is open already.
  rights.unix_sockets = true;
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // Request bodies lie in locked memory, as everywhere.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

// The whole list of what auditd may do. It has no TCP at all: whoever takes over a process that
// logs cannot reach the network from here.
#include "sandbox/auditd.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_auditd(const AuditdPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration again, for the table of writers.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.key_paths);
  // SoftHSM keeps keys, their locks and its generation counter in files.
  add_path(rights.write_paths, paths.token_folder);
  // The only process of the host that may write the log.
  add_path(rights.write_paths, paths.audit_folder);
  // The intake, and audit-relay's socket. The admin socket is open already.
  rights.unix_sockets = true;
  add_path(rights.socket_folders, paths.socket_folder);
  // The signing key lives in locked memory. Segments that are closed, and archives, are immutable.
  rights.capabilities = {Capability::lock_memory, Capability::make_immutable};
  return enter(rights);
}

}  // namespace strongroom::sandbox

// The whole list of what connectord may do. It opens no file to write.
#include "sandbox/connectord.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_connectord(const ConnectordPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration, certificates and public ticket keys again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  // auditd's intake. The admin socket is open already.
  rights.unix_sockets = true;
  // To the processor alone; which address stands behind the port is the host's firewall to say.
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // Cards, credentials and the seal key live in locked memory.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

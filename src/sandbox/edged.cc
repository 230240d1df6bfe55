// The whole list of what edged may do. It faces the internet, so it can write no file at all, and
// make no Unix socket: its admin socket is open already, and behind its neighbors' stand commands
// that no client may give.
#include "sandbox/edged.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_edged(const EdgedPaths& paths) {
  Rights rights;
  // SIGHUP reads the configuration and certificates again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_paths(rights.read_paths, name_files());
  // The processes it routes to, and nothing behind them: no database, no HSM.
  rights.connect_ports = paths.connect_ports;
  rights.bind_ports = paths.listen_ports;
  // Card bodies pass through locked memory; workers bind port 443 after the sandbox is closed.
  rights.capabilities = {Capability::lock_memory, Capability::bind_low_ports};
  return enter(rights);
}

}  // namespace strongroom::sandbox

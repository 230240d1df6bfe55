// The whole list of what a witness may do: serve the socket that it has opened, and remember what
// it has cosigned. It connects to nobody, and its key is out of its reach on disk.
#include "sandbox/witness.h"

#include "sandbox/paths.h"

namespace strongroom::sandbox {

Result<Enforced> enter_witness(const WitnessPaths& paths) {
  Rights rights;
  // Logs may be added while it runs; SIGHUP reads the certificate again.
  add_path(rights.read_paths, paths.config_folder);
  add_paths(rights.read_paths, paths.credential_paths);
  add_path(rights.write_paths, paths.state_folder);
  // Requests are read into locked memory.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

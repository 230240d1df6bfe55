// The whole list of what psp-sim may do: nothing but serve the socket that it has opened. It reads
// no file again, reaches nobody and writes nowhere.
#include "sandbox/psp_sim.h"

namespace strongroom::sandbox {

Result<Enforced> enter_psp_sim() {
  Rights rights;
  // Card numbers pass through locked memory.
  rights.capabilities = {Capability::lock_memory};
  return enter(rights);
}

}  // namespace strongroom::sandbox

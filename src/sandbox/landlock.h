// Landlock (Linux 5.13 and later): which files, TCP ports and peers the calling thread and its
// future threads may reach. Internal to the sandbox.
#pragma once

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Restricts the calling thread to `rights` with all that the kernel's ABI offers. REQUIRES:
// no_new_privs. not_found, permission_denied, unavailable (detail: errno).
[[nodiscard]] Result<Enforced> restrict_by_landlock(const Rights& rights);

}  // namespace strongroom::sandbox

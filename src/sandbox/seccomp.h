// seccomp: which system calls, with which arguments, the process may make. Internal to the sandbox.
#pragma once

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Lets every thread of the process make only the calls that `rights` need; others answer EPERM.
// REQUIRES: no_new_privs. unavailable (detail: errno).
[[nodiscard]] Result<void> restrict_by_seccomp(const Rights& rights);

}  // namespace strongroom::sandbox

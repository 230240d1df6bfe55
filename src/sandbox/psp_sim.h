// psp-sim's rights.
#pragma once

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// As enter() in sandbox.h. To be called when the listener is open.
[[nodiscard]] Result<Enforced> enter_psp_sim();

}  // namespace strongroom::sandbox

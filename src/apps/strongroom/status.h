// status: readiness of every daemon of a deployment.
#pragma once

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Asks /readyz of each daemon that strongroom.toml has a section for. kOk: all ready; kCheckFailed:
// one says it is not; kNotReachable: one does not answer.
int show_status(const Context& context);

}  // namespace strongroom::tool

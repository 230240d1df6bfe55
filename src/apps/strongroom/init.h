// init: makes a deployment in an empty folder.
#pragma once

#include "apps/strongroom/context.h"
#include "apps/strongroom/init_plan.h"

namespace strongroom::tool {

// Makes DIR (0700) with the service CA, certificates, configuration and secrets, then lets each
// daemon make its own keys and database (auditd, authd, connectord, gatewayd, vaultd --init, found
// beside this executable). Says each step. After a failed step DIR is emptied again, and what may
// remain outside of it is named. kUsage: DIR is not empty, or the reason of the step that failed.
int init_deployment(const Context& context, InitOptions options);

}  // namespace strongroom::tool

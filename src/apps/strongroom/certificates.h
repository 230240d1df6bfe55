// certificates: the services' certificates, which end, and those that take their place.
#pragma once

#include <string>
#include <vector>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct RenewOptions {
  std::vector<std::string> names;  // which: "vaultd", "edged/public"; none: those that are due
  bool all = false;                // also those that are not due
  std::string ca_key;              // of the deployment's CA; empty: DIR/secrets/ca.key
};

// Prints whose each certificate is that the configuration names, who signed it and when it ends.
// kCheckFailed: one of the deployment's CA is due, or one cannot be read.
int list_certificates(const Context& context);

// Makes each that is due anew, with a new key, by the deployment's CA, and sends SIGHUP to the
// daemons whose they are. Each has entries of its own in the audit log, before it is made and after
// it; where auditd does not take the first, nothing is made. One renewal at a time. kCheckFailed:
// one could not be read, and the others were seen to.
int renew_certificates(const Context& context, const RenewOptions& options);

}  // namespace strongroom::tool

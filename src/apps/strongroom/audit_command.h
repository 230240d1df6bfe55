// audit verify: the assessor's check of the whole audit log.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Checks every entry, tree and checkpoint of DIR's audit log against the public key in the file
// `vkey_path`; empty: the one that [auditd] names. kCheckFailed: the log is not intact, and the
// first bad place is named. kArchived: what is here is intact, but archives may be missing, or are
// of nothing that is known. Needs no daemon. Shows progress when standard error is a terminal.
int verify_audit_log(const Context& context, const std::string& vkey_path);

}  // namespace strongroom::tool

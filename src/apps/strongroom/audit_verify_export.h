// audit verify --export: the check of what audit export wrote, without the log.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Derives every log of the export in `folder` anew from its entries, holds the logs against what
// the operator's tell of them, and names the first bad file or log. `vkey_path` is a file with the
// operator log's key; empty: the one that [auditd] names, never the export's own.
int verify_export(const Context& context, const std::string& folder, const std::string& vkey_path);

}  // namespace strongroom::tool

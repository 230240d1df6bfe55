// What stands in DIR/audit and is never written again: all segments of the journal but the last,
// archives, and copies that were restored from them.
#pragma once

#include <string>

#include "audit/files.h"

namespace strongroom::auditd {

// Makes those immutable that are not, as a crash or a copy from a backup leaves them. False when
// one is not, or when none could be because the system or this process's rights do not have it.
[[nodiscard]] bool make_closed_files_immutable(audit::Files& files, const std::string& directory);

}  // namespace strongroom::auditd

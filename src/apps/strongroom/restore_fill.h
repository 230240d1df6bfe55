// What `strongroom restore` does to DIR. The configuration stands in DIR/restoring while it lasts,
// and becomes DIR/etc as the last step: what is not whole cannot be started.
#pragma once

#include <string>
#include <string_view>

#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/backup_restore.h"
#include "apps/strongroom/restore_check.h"
#include "audit/files.h"

namespace strongroom::tool {

inline constexpr std::string_view kRestoring = "restoring";

// Makes `directory`, which is claimed, and the databases into what was backed up. An error leaves
// it half filled, for the caller to empty.
[[nodiscard]] Done<void> fill_deployment(audit::Files& files, const Sources& sources,
                                         const std::string& directory, const RestoreFrom& from);

}  // namespace strongroom::tool

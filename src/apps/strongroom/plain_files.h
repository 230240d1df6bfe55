// The files of a folder that is copied as a whole. Nothing is left out unseen: who finds a link, or
// a folder that cannot be read, does not copy.
#pragma once

#include <string>
#include <vector>

#include "apps/strongroom/backup_folder.h"

namespace strongroom::tool {

// The regular files below `root`, as paths relative to it, ascending; none where there is no such
// folder. Refused by its path: what cannot be read, and what is neither a file nor a folder. `root`
// itself may be a link. What others remove meanwhile may be missing.
[[nodiscard]] Done<std::vector<std::string>> plain_files(const std::string& root);

}  // namespace strongroom::tool

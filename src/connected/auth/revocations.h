// Revocations that a restored database does not have yet: its API keys are as they were at the
// backup, and one that was revoked since must open nothing again.
#pragma once

#include <vector>

#include "base/result.h"
#include "storage/database.h"
#include "storage/dump.h"

namespace strongroom::connected::auth {

// Of the entries api_key.revoke that stand behind a dump (docs/formats/database-dump.md). To be run
// in the transaction that fills the database; a key that was made after the dump is not in it.
// corrupt: cut short, too long, or other entries.
[[nodiscard]] Result<std::vector<storage::Statement>> read_revocations(
    const storage::Source& source);

}  // namespace strongroom::connected::auth

// What an audit log says was erased since a backup: what a restore has vaultd erase again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/files.h"
#include "base/id.h"
#include "base/result.h"

namespace strongroom::tool {

// The entry that says so, by its operation.
using Erasures = std::map<OperationId, std::string>;

// The operations token.delete and token.expire with an entry behind `log_before`: those that were
// done, and those without an outcome, for the answer may have been given without one. gone: part of
// that has left the journal in `directory`; corrupt (but for a torn end), unavailable.
[[nodiscard]] Result<Erasures> read_erasures(audit::Files& files, const std::string& directory,
                                             std::uint64_t log_before);

// As they follow the vault's dump (docs/formats/database-dump.md).
[[nodiscard]] std::vector<std::byte> encode(const Erasures& erasures);

}  // namespace strongroom::tool

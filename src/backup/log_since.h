// What an audit log says was taken away since a backup, and what a restore takes away again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/files.h"
#include "base/id.h"
#include "base/result.h"

namespace strongroom::backup {

// The newest entry of each operation, as JSON.
using Operations = std::map<OperationId, std::string>;

struct LogSince {
  Operations erasures;     // vaultd's token.delete and token.expire
  Operations revocations;  // authd's api_key.revoke
  Operations holds;        // vaultd's delete.hold, but for those of cards that were erased then
};

// Of the journal in `directory`: the operations whose outcome stands behind the entry `log_before`
// and says neither "not done" nor "failed", and those without one, however old: what was done last
// may have been answered before its outcome was in the log. gone: part of that has left the
// journal; corrupt (but for a torn end), unavailable.
[[nodiscard]] Result<LogSince> read_log_since(audit::Files& files, const std::string& directory,
                                              std::uint64_t log_before);

// The entry of this sequence in that journal. not_found: it has none, or none any more; corrupt,
// unavailable.
[[nodiscard]] Result<std::string> journal_entry(audit::Files& files, const std::string& directory,
                                                std::uint64_t sequence);

// As they follow a dump (docs/formats/database-dump.md).
[[nodiscard]] std::vector<std::byte> encode(const Operations& operations);

}  // namespace strongroom::backup

// What an audit log says was taken away since a backup, and what a restore takes away again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/entry.h"
#include "audit/files.h"
#include "base/id.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace strongroom::backup {

// The newest entry of each operation, as JSON.
using Operations = std::map<OperationId, std::string>;

struct LogSince {
  Operations erasures;     // vaultd's token.delete and token.expire
  Operations revocations;  // authd's api_key.revoke
  Operations holds;        // vaultd's delete.hold, but for those of cards that were erased then
  // How each backup ended, by backup.create or key.backup and its id: the SHA-256 of its manifest's
  // file, or none where it failed. auditd's word alone.
  std::map<std::pair<audit::EventType, std::string>, std::optional<crypto::Sha256Digest>> backups;
};

// Of the journal in `directory`: the operations whose outcome stands behind the entry `log_before`
// and says neither "not done" nor "failed", and those without one, however old: what was done last
// may have been answered before its outcome was in the log. Reads up to the entry `log_end`. gone:
// part of that has left the journal; corrupt: it has no such entry; unavailable.
[[nodiscard]] Result<LogSince> read_log_since(audit::Files& files, const std::string& directory,
                                              std::uint64_t log_before, std::uint64_t log_end);

// The entry of this sequence in that journal. not_found: it has none, or none any more; corrupt,
// unavailable.
[[nodiscard]] Result<std::string> journal_entry(audit::Files& files, const std::string& directory,
                                                std::uint64_t sequence);

// As they follow a dump (docs/formats/database-dump.md).
[[nodiscard]] std::vector<std::byte> encode(const Operations& operations);

}  // namespace strongroom::backup

// audit prove: proof files of entries of the audit log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct ProveOptions {
  std::string token;  // every signed entry about this token; or the one of log and index
  std::string log;
  std::optional<std::uint64_t> index;
  std::string out = ".";  // a folder, made if absent
};

// Writes <log>-<index>.json, the entry's exact bytes, and <log>-<index>.tlog-proof of each entry.
// An entry of a merchant's log is proven to the newest checkpoint that the operator's log records,
// whose own pair of files is written too; where none covers it yet, to its log's newest. What was
// written is read and verified before it is said. kCheckFailed: no such entry, or nobody has signed
// for it yet. kArchived: an entry is in an archive, which is named with the command that brings it
// back; or there are archived entries of which nobody can tell whether they are about the token:
// audit-relay's index can. Needs no daemon; asks auditd to sign first where it runs.
int prove_entries(const Context& context, const ProveOptions& options);

}  // namespace strongroom::tool

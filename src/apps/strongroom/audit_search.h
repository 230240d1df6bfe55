// audit search and audit tail: entries of the audit log by what they concern, and as they come.
// Both ask audit-relay, whose index says where, check each entry (entry_check.h), and say on
// standard error against what.
#pragma once

#include <cstdint>
#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Empty text asks for nothing.
struct AuditFilter {
  std::string token, merchant, actor, type, request, from, to;
  std::uint64_t limit = 50;
};

// Prints the newest entries that fit, newest first: a table, or with --json an array of
// {owner, shard, index, leaf_hash, entry}. kCheckFailed: an entry is not what stands in the log.
int search_audit_log(const Context& context, const AuditFilter& filter);
// Prints the last `lines` entries, oldest first, a line each; then, with `follow`, those that come,
// until it is ended.
int tail_audit_log(const Context& context, std::uint64_t lines, bool follow);

}  // namespace strongroom::tool

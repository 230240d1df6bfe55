// audit export: logs as static files for others' tools.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct ExportOptions {
  std::string log;  // one log
  bool all = false;
  std::string out;
};

// Writes each log to OUT/<owner>/<shard> as its newest checkpoint has it, `checkpoint` as the last
// file, and `vkey`, its key; OUT/audit.vkey is the operator log's. The operator's log that grows
// ends with the newest checkpoint that a witness has cosigned, if one has; it waits for that where
// audit-relay brings it, not for long, and says what is left out. What an earlier export has left
// there is checked and kept, so that an interrupted one goes on, and a later one adds what is new;
// kCheckFailed, with all left as it is, when that is another history. Needs no daemon; where
// they run, audit-relay first records log.export in each log, and auditd signs for that, too.
// kArchived: entries that are in archives, and that no earlier export has left there, are not in
// it; `gaps` beside the checkpoint says which (audit/static_tree.h).
int export_logs(const Context& context, const ExportOptions& options);

}  // namespace strongroom::tool

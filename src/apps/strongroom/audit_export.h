// audit export: logs as static files for others' tools, and the check of such a folder.
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
// file, and `vkey`, its key; OUT/audit.vkey is the operator log's. What an earlier export has left
// there is checked and kept, so that an interrupted one goes on, and a later one adds what is new;
// kCheckFailed, with all left as it is, when that is another history. Needs no daemon; where
// they run, audit-relay first records log.export in each log, and auditd signs for that, too.
int export_logs(const Context& context, const ExportOptions& options);

// Derives every log of the export in `folder` anew from its entries and names the first bad file.
// `vkey_path` is a file with the operator log's key; empty: the one that [auditd] names, never the
// export's own.
int verify_export(const Context& context, const std::string& folder, const std::string& vkey_path);

}  // namespace strongroom::tool

// What auditd's admin socket takes about backups and dumps: that one is about to be made, and how
// it ended.
#pragma once

#include <functional>

#include "auditd/auditd.h"
#include "http/router.h"

namespace strongroom::auditd {

// POST /v1/backups {"id":HEX,"kind":"data"|"keys"|"dump","act":"begin"|"end"|"failed",
// "parts":[TEXT...],"sha256":HEX of the manifest's file, or of the dump,"size_bytes":of the dump}:
// an entry backup.create, or key.backup of keys, in the name of the operator who asks. An end has
// sha256, and so may one that failed: of what was given until then. Answered when the entry is
// durable: {"recorded":true}; 503 while `auditd` gives null.
void add_backup_routes(http::Router& router, const std::function<Auditd*()>& auditd);

}  // namespace strongroom::auditd

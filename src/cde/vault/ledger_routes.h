// The routes of the ledger of backups, for vaultd's admin socket.
#pragma once

#include "cde/keys/key_keeper.h"
#include "http/router.h"

namespace strongroom::cde {

struct LedgerParts {
  const bool& serving;  // false: 503
  KeyKeeper& keeper;
};

// GET /v1/backups lists the ledger; POST /v1/backups {"id":HEX,"kind":"data"|"keys","act":WORD,
// "replaced_by":HEX?,"means":TEXT?} notes what became of a backup (BackupAct), in the name of the
// operator who calls, and answers with its row.
void add_ledger_routes(http::Router& router, LedgerParts parts);

}  // namespace strongroom::cde

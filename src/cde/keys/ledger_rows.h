// The ledger of backups as rows of the vault database. What proves them is the key registry's seal,
// which is over BackupLedger::digest().
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cde/keys/backup_ledger.h"
#include "storage/database.h"

namespace strongroom::cde {

// The table and the registry's column, as statements of the vault database's migrations.
inline constexpr std::array<std::string_view, 2> kCreateBackupLedger{
    "CREATE TABLE backup_ledger ("
    " id text NOT NULL,"
    " kind text NOT NULL,"
    " means text NOT NULL,"
    " begun_at bigint NOT NULL,"
    " verified_at bigint,"
    " holds text NOT NULL,"
    " ending text NOT NULL,"
    " ended_at bigint,"
    " replaced_by text NOT NULL,"
    " ended_by text NOT NULL,"
    " PRIMARY KEY (id, kind))",
    "ALTER TABLE keys_seal ADD COLUMN backup_ledger bytea"};

// The registry's revision and all rows, as of one moment, in columns that read_ledger() takes: the
// revision first. Without rows there is one with nulls.
[[nodiscard]] storage::Statement select_ledger();
// corrupt: no ledger has such rows.
[[nodiscard]] Result<BackupLedger> read_ledger(const storage::Rows& rows);
// What makes the rows of `before` those of `after`.
[[nodiscard]] std::vector<storage::Statement> ledger_changes(const BackupLedger& before,
                                                             const BackupLedger& after);

}  // namespace strongroom::cde

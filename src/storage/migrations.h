// Migrations: the numbered, forward-only history of a database's schema. `strongroom migrate`
// applies it; a daemon only checks, and refuses a schema that it does not know.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::storage {

// Migration is one step; it is never edited once released. `statements` are literals without
// parameters that both databases accept. Steps expand first and contract in a later release (old
// daemons keep working).
struct Migration {
  std::int64_t version;  // 1, 2, 3, ...
  std::span<const std::string_view> statements;
};

// Applies the migrations that the database lacks, each in a transaction of its own that also enters
// it in the table schema_version(version, applied_at), applied_at in microseconds of `clock`. Two
// runs at once are safe: the later one gets conflict. conflict: the database is newer than
// `migrations`; invalid_argument: versions do not count up from 1; and the errors of Database.
[[nodiscard]] async::Task<Result<void>> migrate(Database& database,
                                                std::span<const Migration> migrations,
                                                const Clock& clock);

// What stands around each migration: it calls `apply` once and returns what that does, unless it
// ends the migrating with an error of its own before.
using AroundMigration =
    std::function<Result<void>(std::int64_t version, const std::function<Result<void>()>& apply)>;

// The same for the database at `url` (as in storage::open), on a loop of its own, for a program
// that does nothing else then.
[[nodiscard]] Result<void> migrate_at(
    const std::string& url, std::span<const Migration> migrations,
    const AroundMigration& around = [](std::int64_t, const auto& apply) { return apply(); });

// Succeeds when the database has exactly `migrations`. conflict: it is older (detail 0) or newer
// (detail 1) than this program; and the errors of Database.
[[nodiscard]] async::Task<Result<void>> check_schema(Database& database,
                                                     std::span<const Migration> migrations);

}  // namespace strongroom::storage

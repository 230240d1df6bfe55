// The schema's history, applied and checked.
#include "storage/migrations.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::storage {
namespace {

// Nobody waits for a migration, which may rewrite all that there is.
constexpr std::chrono::hours kStatementTimeout{24};

constexpr std::string_view kCreateTable =
    "CREATE TABLE IF NOT EXISTS schema_version("
    "version bigint NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)";
constexpr std::string_view kNewest = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
constexpr std::string_view kEnter =
    "INSERT INTO schema_version(version, applied_at) VALUES($1, $2)";

constexpr Error kOlder{ErrorCode::conflict, "database schema is older than this program"};
constexpr Error kNewer{ErrorCode::conflict, "database schema is newer than this program"};

Result<void> check_order(std::span<const Migration> migrations) {
  std::int64_t expected = 1;
  for (const Migration& migration : migrations) {
    if (migration.version != expected++) {
      return fail({ErrorCode::invalid_argument, "migrations do not count up from 1"});
    }
  }
  return {};
}

async::Task<Result<std::int64_t>> newest_version(Database& database) {
  Statement statement{kNewest};
  const Result<Rows> rows = co_await database.read(std::move(statement));
  if (!rows) co_return fail(rows.error());
  if (rows->size() != 1) co_return fail({ErrorCode::corrupt, "schema version is unreadable"});
  auto version = rows->front().front().integer();
  if (version && *version < 0) co_return fail({ErrorCode::corrupt, "schema version is negative"});
  co_return version;
}

std::vector<Statement> transaction_of(const Migration& migration, const Clock& clock) {
  std::vector<Statement> statements;
  // First, so that of two runs at once one waits here for the other, and then ends in conflict.
  statements.push_back(
      {kEnter, {Value::integer(migration.version), Value::integer(clock.now_us())}});
  for (const std::string_view sql : migration.statements) statements.push_back({sql});
  return statements;
}

// Those of `migrations` that the database lacks.
async::Task<Result<std::span<const Migration>>> pending(Database& database,
                                                        std::span<const Migration> migrations) {
  SR_CO_CHECK_OK(check_order(migrations));
  std::vector<Statement> create{};
  create.push_back({kCreateTable});
  auto created = co_await database.write(std::move(create));
  if (!created) co_return fail(created.error());
  auto newest = co_await newest_version(database);
  if (!newest) co_return fail(newest.error());
  if (std::cmp_greater(*newest, migrations.size())) co_return fail(kNewer.with_detail(1));
  co_return migrations.subspan(static_cast<std::size_t>(*newest));
}

async::Task<Result<void>> apply(Database& database, const Migration& migration,
                                const Clock& clock) {
  std::vector<Statement> statements = transaction_of(migration, clock);
  auto applied = co_await database.write(std::move(statements));
  if (!applied) co_return fail(applied.error());
  log::info("schema migrated", {{"version", migration.version}});
  co_return Result<void>{};
}

Result<void> migrate_on(async::Loop& loop, Database& database,
                        std::span<const Migration> migrations, const AroundMigration& around) {
  const SystemClock clock;
  SR_TRY(const auto missing, loop.run_until_done(pending(database, migrations)));
  for (const Migration& migration : missing) {
    SR_CHECK_OK(around(migration.version,
                       [&] { return loop.run_until_done(apply(database, migration, clock)); }));
  }
  return {};
}

}  // namespace

async::Task<Result<void>> migrate(Database& database, std::span<const Migration> migrations,
                                  const Clock& clock) {
  const auto missing = co_await pending(database, migrations);
  if (!missing) co_return std::unexpected(missing.error());
  for (const Migration& migration : *missing) {
    SR_CO_CHECK_OK(co_await apply(database, migration, clock));
  }
  co_return Result<void>{};
}

Result<void> migrate_at(const std::string& url, std::span<const Migration> migrations,
                        const AroundMigration& around) {
  async::Loop loop;
  SR_TRY(const std::unique_ptr<Database> database,
         open(loop, {.url = url, .statement_timeout = kStatementTimeout}));
  const Result<void> migrated = migrate_on(loop, *database, migrations, around);
  loop.run_until_done(database->close());
  return migrated;
}

async::Task<Result<void>> check_schema(Database& database, std::span<const Migration> migrations) {
  SR_CO_CHECK_OK(check_order(migrations));
  const auto newest = co_await newest_version(database);
  if (!newest) {
    // The statement is sound, so what was refused is the table: it does not exist yet.
    const bool no_table = newest.error().code() == ErrorCode::invalid_argument;
    co_return fail(no_table ? kOlder : newest.error());
  }
  if (std::cmp_less(*newest, migrations.size())) co_return fail(kOlder);
  if (std::cmp_greater(*newest, migrations.size())) co_return fail(kNewer.with_detail(1));
  co_return Result<void>{};
}

}  // namespace strongroom::storage

// Chooses the database by URL.
#include "storage/database.h"

#include <utility>

#include "storage/postgres.h"
#include "storage/sqlite.h"

namespace strongroom::storage {

Result<std::unique_ptr<Database>> open(async::Loop& loop, const Options& options) {
  return options.url.starts_with("sqlite:") ? open_sqlite(loop, options)
                                            : open_postgres(loop, options);
}

async::Task<Result<Rows>> write_rows(Database& database, ManySql many, std::vector<Row> rows) {
  std::vector<ManyStatement> statements{};
  statements.push_back({many, std::move(rows)});
  auto written = co_await database.write_many(std::move(statements));
  if (!written) co_return fail(written.error());
  co_return std::move(written->front());
}

}  // namespace strongroom::storage

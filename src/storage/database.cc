// Chooses the database by URL.
#include "storage/database.h"

#include "storage/postgres.h"
#include "storage/sqlite.h"

namespace strongroom::storage {

Result<std::unique_ptr<Database>> open(async::Loop& loop, Options options) {
  return options.url.starts_with("sqlite:") ? open_sqlite(loop, options)
                                            : open_postgres(loop, options);
}

}  // namespace strongroom::storage

// The embedded database: SQLite with a thread for writing, one for reading, and one that copies the
// write-ahead log into the file, away from the writes that wait for the disk.
#pragma once

#include <memory>

#include "async/loop.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::storage {

// As open(), for a URL that begins with "sqlite:".
[[nodiscard]] Result<std::unique_ptr<Database>> open_sqlite(async::Loop& loop,
                                                            const Options& options);

}  // namespace strongroom::storage

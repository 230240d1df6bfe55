// The production database: PostgreSQL 15 or newer over raw libpq in pipeline mode.
#pragma once

#include <memory>

#include "async/loop.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::storage {

// As open(), for a libpq URI.
[[nodiscard]] Result<std::unique_ptr<Database>> open_postgres(async::Loop& loop,
                                                              const Options& options);

}  // namespace strongroom::storage

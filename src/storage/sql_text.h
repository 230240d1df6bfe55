// The two texts of a ManySql: for PostgreSQL one statement over arrays, so that a single prepared
// statement serves every number of rows; for SQLite the statement of one row.
#pragma once

#include <string>

#include "storage/database.h"

namespace strongroom::storage {

// $1 is the array of the first given column's values, and so on.
[[nodiscard]] std::string arrays_sql(const ManySql& many);
// $1 is the first given column's value, and so on. What writes in SQLite is alone: it locks
// nothing.
[[nodiscard]] std::string row_sql(const ManySql& many);

}  // namespace strongroom::storage

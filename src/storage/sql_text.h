// The SQL of insert_many and update_many: for PostgreSQL one statement over arrays, so that a
// single prepared statement serves every number of rows; for SQLite the statement of one row.
#pragma once

#include <string>

#include "storage/database.h"

namespace strongroom::storage {

// $1 is the array of the first column's values, and so on.
[[nodiscard]] std::string insert_arrays_sql(const InsertMany& insert);
// $1 is the first column's value, and so on.
[[nodiscard]] std::string insert_row_sql(const InsertMany& insert);

// $1 is the array of keys, $2 that of the first set column's values, and so on.
[[nodiscard]] std::string update_arrays_sql(const UpdateMany& update);
// $1 is the key, $2 the first set column's value, and so on.
[[nodiscard]] std::string update_row_sql(const UpdateMany& update);

}  // namespace strongroom::storage

// BulkConnection: one blocking connection within one transaction, to read or fill whole tables. For
// dump.cc only; each database has one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/answer.h"
#include "storage/database.h"

namespace strongroom::storage {

struct TableColumn {
  std::string name;
  ColumnType type;
  bool operator==(const TableColumn&) const = default;
};

struct Table {
  std::string name;
  std::vector<TableColumn> columns;
  bool operator==(const Table&) const = default;
};

// A row in the form of PostgreSQL's binary COPY ("Binary Format" in the manual's page on COPY): u16
// count, then of each column i32 length (-1: NULL) and bytes; an integer has eight.
using RowBytes = std::span<const std::byte>;
// How many columns a row says that it has; 0 for what is none.
[[nodiscard]] inline std::size_t columns_of(RowBytes row) noexcept {
  if (row.size() < 2) return 0;
  return std::to_integer<std::size_t>(row[0]) << 8U | std::to_integer<std::size_t>(row[1]);
}

class BulkConnection {
 public:
  virtual ~BulkConnection() = default;  // rolls back what was not committed

  // One statement of ours, without rows to speak of.
  [[nodiscard]] virtual Result<Answer> run(std::string_view sql,
                                           std::span<const Value> parameters = {}) = 0;
  // Every table, in the order in which they were made, so that one comes behind those that it
  // refers to. corrupt: a column has none of our types.
  [[nodiscard]] virtual Result<std::vector<Table>> tables() = 0;
  // All rows of `table`, one at a time.
  [[nodiscard]] virtual Result<void> read_rows(
      const Table& table, const std::function<Result<void>(RowBytes)>& each) = 0;
  // begin_rows(), any number of add_row(), end_rows(). corrupt: the row is none of this table.
  [[nodiscard]] virtual Result<void> begin_rows(const Table& table) = 0;
  [[nodiscard]] virtual Result<void> add_row(RowBytes row) = 0;
  [[nodiscard]] virtual Result<void> end_rows() = 0;
  [[nodiscard]] virtual Result<void> commit() = 0;
};

enum class BulkAccess : std::uint8_t { read, write };  // read: the database as of one moment

// `url` as in storage::open.
[[nodiscard]] Result<std::unique_ptr<BulkConnection>> open_sqlite_bulk(const std::string& path,
                                                                       BulkAccess access);
[[nodiscard]] Result<std::unique_ptr<BulkConnection>> open_postgres_bulk(const std::string& url,
                                                                         BulkAccess access);

// Our type of a column that the catalog says is "bigint", "text" or "bytea". corrupt: another.
[[nodiscard]] Result<ColumnType> column_type(std::string_view name);
// "a, b, c"
[[nodiscard]] std::string column_list(const Table& table);

}  // namespace strongroom::storage

// Whole tables of a SQLite file, over a connection as the daemons have it.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "storage/bulk.h"
#include "storage/sqlite_connection.h"

namespace strongroom::storage {
namespace {

// Of one statement, and as long as a daemon's write may keep us waiting.
constexpr std::chrono::hours kTimeout{24};
constexpr std::size_t kIntegerBytes = 8;
constexpr std::uint32_t kNull = std::numeric_limits<std::uint32_t>::max();
constexpr Error kNoRow{ErrorCode::corrupt, "dump holds a row that is none of its table"};

void append_row(std::vector<std::byte>& out, const Row& row) {
  append_u16be(out, static_cast<std::uint16_t>(row.size()));
  for (const Value& value : row) {
    if (value.is_null()) {
      append_u32be(out, kNull);
    } else if (const auto number = value.integer()) {
      append_u32be(out, kIntegerBytes);
      append_u64be(out, static_cast<std::uint64_t>(*number));
    } else {
      const auto text = value.text();
      const auto bytes = text ? as_bytes(*text) : *value.bytes();
      append_u32be(out, static_cast<std::uint32_t>(bytes.size()));
      append_bytes(out, bytes);
    }
  }
}

Result<Value> read_value(std::span<const std::byte> bytes, ColumnType type) {
  switch (type) {
    case ColumnType::integer:
      if (bytes.size() != kIntegerBytes) return fail(kNoRow);
      return Value::integer(static_cast<std::int64_t>(read_u64be(bytes)));
    case ColumnType::text:
      return Value::text(as_text(bytes));
    case ColumnType::bytes:
      return StoredBytes::value(bytes);
  }
  return fail(kNoRow);
}

Result<Row> read_row(RowBytes rest, const Table& table) {
  if (columns_of(rest) != table.columns.size()) return fail(kNoRow);
  rest = rest.subspan(2);
  Row row;
  row.reserve(table.columns.size());
  for (const TableColumn& column : table.columns) {
    if (rest.size() < 4) return fail(kNoRow);
    const std::uint32_t size = read_u32be(rest);
    rest = rest.subspan(4);
    if (size == kNull) {
      row.push_back(Value::null());
      continue;
    }
    if (rest.size() < size) return fail(kNoRow);
    SR_TRY(Value value, read_value(rest.first(size), column.type));
    row.push_back(std::move(value));
    rest = rest.subspan(size);
  }
  if (!rest.empty()) return fail(kNoRow);
  return row;
}

class SqliteBulk final : public BulkConnection {
 public:
  SqliteBulk(std::unique_ptr<SqliteFile> file, std::unique_ptr<SqliteConnection> connection)
      : file_(std::move(file)), connection_(std::move(connection)) {}

  Result<Answer> run(std::string_view sql, std::span<const Value> parameters) override {
    return connection_->run(sql, parameters);
  }

  Result<std::vector<Table>> tables() override {
    SR_TRY(const Answer names, connection_->run("SELECT name FROM sqlite_schema WHERE type = "
                                                "'table' AND name NOT LIKE 'sqlite%' "
                                                "ORDER BY rowid"));
    std::vector<Table> tables;
    for (const Row& row : names.rows) {
      SR_TRY(const std::string_view name, row[0].text());
      Table table{std::string(name), {}};
      SR_TRY(const Answer columns,
             connection_->run("SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
                              std::span(&row[0], 1)));
      for (const Row& column : columns.rows) {
        SR_TRY(const std::string_view column_name, column[0].text());
        SR_TRY(const std::string_view type_name, column[1].text());
        SR_TRY(const ColumnType type, column_type(type_name));
        table.columns.push_back({std::string(column_name), type});
      }
      tables.push_back(std::move(table));
    }
    return tables;
  }

  Result<void> read_rows(const Table& table,
                         const std::function<Result<void>(RowBytes)>& each) override {
    std::vector<std::byte> bytes;
    return connection_->each(fmt::format("SELECT {} FROM {}", column_list(table), table.name),
                             [&](const Row& row) {
                               bytes.clear();
                               append_row(bytes, row);
                               return each(bytes);
                             });
  }

  Result<void> begin_rows(const Table& table) override {
    table_ = table;
    std::string places;
    for (std::size_t i = 1; i <= table.columns.size(); ++i) {
      places += fmt::format("{}${}", i == 1 ? "" : ", ", i);
    }
    insert_ = fmt::format("INSERT INTO {}({}) VALUES({})", table.name, column_list(table), places);
    return {};
  }

  Result<void> add_row(RowBytes bytes) override {
    SR_TRY(const Row row, read_row(bytes, table_));
    SR_CHECK_OK(connection_->run(insert_, row));
    return {};
  }

  Result<void> end_rows() override { return {}; }

  Result<void> commit() override {
    SR_CHECK_OK(connection_->run("COMMIT"));
    return {};
  }

 private:
  std::unique_ptr<SqliteFile> file_;
  std::unique_ptr<SqliteConnection> connection_;
  Table table_;
  std::string insert_;
};

}  // namespace

Result<std::unique_ptr<BulkConnection>> open_sqlite_bulk(const std::string& path,
                                                         BulkAccess access) {
  const bool reads = access == BulkAccess::read;
  std::error_code error;
  if (reads && !std::filesystem::exists(path, error)) {
    return fail({ErrorCode::not_found, "no such database file"});
  }
  auto file = std::make_unique<SqliteFile>(path, kTimeout);
  SR_TRY(auto connection,
         SqliteConnection::open(*file, reads ? SqliteAccess::read : SqliteAccess::write));
  // In WAL mode the first SELECT fixes what a transaction sees.
  SR_CHECK_OK(connection->run(reads ? "BEGIN" : "BEGIN IMMEDIATE"));
  return std::make_unique<SqliteBulk>(std::move(file), std::move(connection));
}

}  // namespace strongroom::storage

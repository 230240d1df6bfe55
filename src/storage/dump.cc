// The stream of a dump, and how a database is filled from one.
#include "storage/dump.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"
#include "storage/bulk.h"

namespace strongroom::storage {
namespace {

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::string_view kMagic = "SRDUMP01";
constexpr std::string_view kSchemaTable = "schema_version";  // load_at() writes it itself
constexpr std::byte kTableMark{'T'}, kRowMark{'R'}, kEndMark{'E'};
constexpr std::size_t kSinkBytes = std::size_t{64} << 10;
constexpr std::size_t kNameBytesMax = 63;  // PostgreSQL's bound

constexpr Error kNoDump{ErrorCode::corrupt, "not a database dump, or one that is cut short"};
constexpr Error kOtherTables{ErrorCode::corrupt, "dump has other tables than its schema"};
constexpr Error kNewerDump{ErrorCode::conflict, "dump's schema is newer than this program"};
constexpr Error kNotEmpty{ErrorCode::conflict, "database is not empty"};

Result<std::unique_ptr<BulkConnection>> open_bulk(const std::string& url, BulkAccess access) {
  if (!url.starts_with(kSqlite)) return open_postgres_bulk(url, access);
  return open_sqlite_bulk(url.substr(kSqlite.size()), access);
}

// Collects small writes.
class Writer {
 public:
  explicit Writer(const Sink& sink) : sink_(sink) {}
  std::vector<std::byte>& buffer() noexcept { return buffer_; }
  Result<void> flush_if_full() { return buffer_.size() < kSinkBytes ? Result<void>{} : flush(); }
  Result<void> flush() {
    SR_CHECK_OK(sink_(buffer_));
    buffer_.clear();
    return {};
  }

 private:
  const Sink& sink_;
  std::vector<std::byte> buffer_;
};

void append_name(std::vector<std::byte>& out, std::string_view name) {
  append_u16be(out, static_cast<std::uint16_t>(name.size()));
  append_bytes(out, as_bytes(name));
}

Result<std::uint64_t> dump_table(BulkConnection& database, const Table& table, Writer& out) {
  std::vector<std::byte>& buffer = out.buffer();
  buffer.push_back(kTableMark);
  append_name(buffer, table.name);
  append_u16be(buffer, static_cast<std::uint16_t>(table.columns.size()));
  for (const TableColumn& column : table.columns) {
    buffer.push_back(static_cast<std::byte>(column.type));
    append_name(buffer, column.name);
  }
  std::uint64_t rows = 0;
  SR_CHECK_OK(database.read_rows(table, [&](RowBytes row) -> Result<void> {
    if (row.size() > kDumpRowBytesMax) return fail(kNoDump);
    buffer.push_back(kRowMark);
    append_u32be(buffer, static_cast<std::uint32_t>(row.size()));
    append_bytes(buffer, row);
    ++rows;
    return out.flush_if_full();
  }));
  return rows;
}

// Takes a dump's parts off a stream.
class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}
  Result<std::span<const std::byte>> take(std::size_t size) {
    buffer_.resize(size);
    SR_TRY(const std::size_t got, source_(buffer_));
    if (got != size) return fail(kNoDump);
    return std::span<const std::byte>(buffer_);
  }
  Result<std::byte> mark() {
    SR_TRY(const auto bytes, take(1));
    return bytes[0];
  }
  Result<std::uint64_t> number(std::size_t size) {
    SR_TRY(const auto bytes, take(size));
    std::uint64_t number = 0;
    for (const std::byte byte : bytes) number = number << 8U | std::to_integer<std::uint64_t>(byte);
    return number;
  }
  Result<std::string> name() {
    SR_TRY(const std::uint64_t size, number(2));
    if (size == 0 || size > kNameBytesMax) return fail(kNoDump);
    SR_TRY(const auto bytes, take(size));
    return std::string(as_text(bytes));
  }
  Result<Table> table() {
    Table table;
    SR_TRY(table.name, name());
    SR_TRY(const std::uint64_t columns, number(2));
    for (std::uint64_t i = 0; i < columns; ++i) {
      SR_TRY(const std::byte type, mark());
      if (type > static_cast<std::byte>(ColumnType::bytes)) return fail(kNoDump);
      SR_TRY(std::string column, name());
      table.columns.push_back({std::move(column), static_cast<ColumnType>(type)});
    }
    return table;
  }

 private:
  const Source& source_;
  std::vector<std::byte> buffer_;
};

Result<void> apply(BulkConnection& database, const Migration& migration) {
  const std::array entered{Value::integer(migration.version),
                           Value::integer(SystemClock().now_us())};
  SR_CHECK_OK(
      database.run("INSERT INTO schema_version(version, applied_at) VALUES($1, $2)", entered));
  for (const std::string_view sql : migration.statements) SR_CHECK_OK(database.run(sql));
  return {};
}

// The rows of one table, up to the mark behind them, which is given.
Result<std::byte> load_rows(BulkConnection& database, Reader& in, std::uint64_t& rows) {
  SR_TRY(const Table table, in.table());
  SR_TRY(const std::vector<Table> known, database.tables());
  // Names become SQL: only what the schema has may.
  if (table.name == kSchemaTable || std::ranges::find(known, table) == known.end()) {
    return fail(kOtherTables);
  }
  SR_CHECK_OK(database.begin_rows(table));
  SR_TRY(std::byte mark, in.mark());
  while (mark == kRowMark) {
    SR_TRY(const std::uint64_t size, in.number(4));
    if (size > kDumpRowBytesMax) return fail(kNoDump);
    SR_TRY(const auto row, in.take(size));
    SR_CHECK_OK(database.add_row(row));
    ++rows;
    SR_TRY(mark, in.mark());
  }
  SR_CHECK_OK(database.end_rows());
  return mark;
}

Result<DumpReport> load_tables(BulkConnection& database, Reader& in) {
  DumpReport report;
  SR_TRY(std::byte mark, in.mark());
  while (mark == kTableMark) {
    SR_TRY(mark, load_rows(database, in, report.rows));
  }
  if (mark != kEndMark) return fail(kNoDump);
  SR_TRY(const std::uint64_t rows, in.number(8));
  if (rows != report.rows) return fail(kNoDump);
  return report;
}

}  // namespace

Result<ColumnType> column_type(std::string_view name) {
  if (name == "bigint") return ColumnType::integer;
  if (name == "text" || name == "TEXT") return ColumnType::text;  // SQLite knows that one
  if (name == "bytea") return ColumnType::bytes;
  return fail({ErrorCode::corrupt, "database has a column of a type that is none of ours"});
}

std::string column_list(const Table& table) {
  std::string list;
  for (const TableColumn& column : table.columns) {
    list += (list.empty() ? "" : ", ") + column.name;
  }
  return list;
}

Result<DumpReport> dump_at(const std::string& url, std::span<const Migration> migrations,
                           const Sink& sink) {
  SR_TRY(const auto database, open_bulk(url, BulkAccess::read));
  SR_TRY(const Answer newest,
         database->run("SELECT COALESCE(MAX(version), 0) FROM schema_version"));
  DumpReport report;
  SR_TRY(report.schema_version, newest.rows.at(0).at(0).integer());
  if (!std::cmp_equal(report.schema_version, migrations.size())) {
    return fail({ErrorCode::conflict, "database schema is not that of this program"});
  }
  Writer out(sink);
  append_bytes(out.buffer(), as_bytes(kMagic));
  append_u64be(out.buffer(), static_cast<std::uint64_t>(report.schema_version));
  SR_TRY(const std::vector<Table> tables, database->tables());
  for (const Table& table : tables) {
    if (table.name == kSchemaTable) continue;
    SR_TRY(const std::uint64_t rows, dump_table(*database, table, out));
    report.rows += rows;
  }
  out.buffer().push_back(kEndMark);
  append_u64be(out.buffer(), report.rows);
  SR_CHECK_OK(out.flush());
  return report;
}

Result<DumpReport> load_at(const std::string& url, std::span<const Migration> migrations,
                           const Source& source, const LastStatements& last) {
  Reader in(source);
  SR_TRY(const auto magic, in.take(kMagic.size()));
  if (as_text(magic) != kMagic) return fail(kNoDump);
  SR_TRY(const std::uint64_t version, in.number(8));
  if (version == 0) return fail(kNoDump);
  if (version > migrations.size()) return fail(kNewerDump);

  SR_TRY(const auto database, open_bulk(url, BulkAccess::write));
  SR_TRY(const std::vector<Table> before, database->tables());
  if (!before.empty()) return fail(kNotEmpty);
  SR_CHECK_OK(database->run(
      "CREATE TABLE schema_version(version bigint NOT NULL PRIMARY KEY, applied_at bigint NOT"
      " NULL)"));
  for (const Migration& migration : migrations.first(version)) {
    SR_CHECK_OK(apply(*database, migration));
  }
  SR_TRY(DumpReport report, load_tables(*database, in));
  report.schema_version = static_cast<std::int64_t>(version);
  for (const Migration& migration : migrations.subspan(version)) {
    SR_CHECK_OK(apply(*database, migration));
  }
  SR_TRY(const std::vector<Statement> statements, last());
  for (const Statement& statement : statements) {
    SR_CHECK_OK(database->run(statement.sql, statement.parameters));
  }
  SR_CHECK_OK(database->commit());
  return report;
}

Result<std::vector<Statement>> nothing_more(const Source& source) {
  std::array<std::byte, 1> more{};
  SR_TRY(const std::size_t got, source(more));
  if (got != 0) return fail({ErrorCode::corrupt, "something follows the dump"});
  return std::vector<Statement>{};
}

Source source_of(int fd) {
  return [fd](std::span<std::byte> out) -> Result<std::size_t> {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t got = ::read(fd, out.data() + filled, out.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return fail(Error{ErrorCode::unavailable, "dump cannot be read"}.with_detail(
            static_cast<std::uint32_t>(errno)));
      }
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  };
}

}  // namespace strongroom::storage

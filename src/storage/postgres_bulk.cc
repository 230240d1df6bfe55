// Whole tables of PostgreSQL, by COPY in its binary format, whose rows a dump holds as they are.
#include <fmt/core.h>
#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "storage/bulk.h"
#include "storage/postgres_settings.h"
#include "storage/postgres_wire.h"

namespace strongroom::storage {
namespace {

constexpr Error kNotReached{ErrorCode::unavailable, "PostgreSQL is not reached"};
constexpr Error kNoRow{ErrorCode::corrupt, "dump holds a row that is none of its table"};
constexpr int kBinary = 1;
constexpr const char* kConnectSeconds = "10";  // of each server

// The manual's page on COPY, "Binary Format": signature, flags and length of an extension, which
// stand before the first row; and what stands behind the last.
constexpr std::string_view kCopyHeader{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
constexpr std::string_view kCopyTrailer{"\377\377", 2};

struct Finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Answered = std::unique_ptr<PGresult, Clear>;

// PostgreSQL's message can quote values; its SQLSTATE cannot.
Error error_of(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? kNotReached : error_of_sqlstate(state);
}

class PostgresBulk final : public BulkConnection {
 public:
  explicit PostgresBulk(std::unique_ptr<PGconn, Finish> connection)
      : connection_(std::move(connection)) {}

  Result<Answer> run(std::string_view sql, std::span<const Value> parameters) override {
    std::vector<PostgresParameter> encoded;
    encoded.reserve(parameters.size());
    for (const Value& value : parameters) encoded.push_back(encode(value));
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> sizes;
    const std::vector<int> formats(encoded.size(), kBinary);
    for (const PostgresParameter& parameter : encoded) {
      types.push_back(parameter.type);
      values.push_back(parameter.bytes ? parameter.bytes->data() : nullptr);
      sizes.push_back(parameter.bytes ? static_cast<int>(parameter.bytes->size()) : 0);
    }
    const Answered result(PQexecParams(connection_.get(), std::string(sql).c_str(),
                                       static_cast<int>(encoded.size()), types.data(),
                                       values.data(), sizes.data(), formats.data(), kBinary));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return fail(error_of(result.get()));
    }
    return decode(*result);
  }

  Result<std::vector<Table>> tables() override {
    SR_TRY(const Answer found,
           run("SELECT CAST(c.relname AS text), CAST(a.attname AS text),"
               " format_type(a.atttypid, NULL) FROM pg_class c"
               " JOIN pg_attribute a ON a.attrelid = c.oid"
               " WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace)"
               " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.oid, a.attnum",
               {}));
    std::vector<Table> tables;
    for (const Row& row : found.rows) {
      SR_TRY(const std::string_view table, row[0].text());
      SR_TRY(const std::string_view column, row[1].text());
      SR_TRY(const std::string_view type_name, row[2].text());
      SR_TRY(const ColumnType type, column_type(type_name));
      if (tables.empty() || tables.back().name != table) {
        tables.push_back({std::string(table), {}});
      }
      tables.back().columns.push_back({std::string(column), type});
    }
    return tables;
  }

  Result<void> read_rows(const Table& table,
                         const std::function<Result<void>(RowBytes)>& each) override {
    SR_CHECK_OK(
        copy(fmt::format("COPY {}({}) TO STDOUT (FORMAT binary)", table.name, column_list(table)),
             PGRES_COPY_OUT));
    bool first = true;
    while (true) {
      char* raw = nullptr;
      const int size = PQgetCopyData(connection_.get(), &raw, 0);
      const std::unique_ptr<char, decltype(&PQfreemem)> kept(raw, &PQfreemem);
      if (size < 0) return size == -1 ? ended() : fail(kNotReached);
      std::string_view piece(raw, static_cast<std::size_t>(size));
      if (std::exchange(first, false)) {  // the header stands before the first row
        if (!piece.starts_with(kCopyHeader)) return fail(kNotReached);
        piece.remove_prefix(kCopyHeader.size());
      }
      if (!piece.empty() && piece != kCopyTrailer) SR_CHECK_OK(each(as_bytes(piece)));
    }
  }

  Result<void> begin_rows(const Table& table) override {
    columns_ = table.columns.size();
    SR_CHECK_OK(
        copy(fmt::format("COPY {}({}) FROM STDIN (FORMAT binary)", table.name, column_list(table)),
             PGRES_COPY_IN));
    return put(as_bytes(kCopyHeader));
  }

  Result<void> add_row(RowBytes row) override {
    // Another count could say that the rows end here.
    if (columns_of(row) != columns_) return fail(kNoRow);
    return put(row);
  }

  Result<void> end_rows() override {
    SR_CHECK_OK(put(as_bytes(kCopyTrailer)));
    if (PQputCopyEnd(connection_.get(), nullptr) != 1) return fail(kNotReached);
    return ended();
  }

  Result<void> commit() override {
    SR_CHECK_OK(run("COMMIT", {}));
    return {};
  }

 private:
  Result<void> copy(const std::string& sql, ExecStatusType expected) {
    const Answered result(PQexec(connection_.get(), sql.c_str()));
    if (PQresultStatus(result.get()) != expected) return fail(error_of(result.get()));
    return {};
  }
  Result<void> put(std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    const int sent = PQputCopyData(connection_.get(), text.data(), static_cast<int>(text.size()));
    return sent == 1 ? Result<void>{} : fail(kNotReached);
  }
  // What the server says at the end of a COPY.
  Result<void> ended() {
    Result<void> outcome = fail(kNotReached);
    while (const Answered result{PQgetResult(connection_.get())}) {
      const bool good = PQresultStatus(result.get()) == PGRES_COMMAND_OK;
      outcome = good ? Result<void>{} : fail(error_of(result.get()));
    }
    return outcome;
  }

  std::unique_ptr<PGconn, Finish> connection_;
  std::size_t columns_ = 0;  // of the table that is being filled
};

// To the first that answers; null: none does.
std::unique_ptr<PGconn, Finish> connect_to_one(const std::vector<PostgresSettings>& servers) {
  for (PostgresSettings server : servers) {
    server["connect_timeout"] = kConnectSeconds;
    std::vector<const char*> names, values;
    for (const auto& [name, value] : server) {
      names.push_back(name.c_str());
      values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    std::unique_ptr<PGconn, Finish> connection(PQconnectdbParams(names.data(), values.data(), 0));
    if (PQstatus(connection.get()) == CONNECTION_OK) return connection;
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<BulkConnection>> open_postgres_bulk(const std::string& url,
                                                           BulkAccess access) {
  const bool reads = access == BulkAccess::read;
  const Options options{.url = url, .statement_timeout = std::chrono::milliseconds{0}};
  SR_TRY(const std::vector<PostgresSettings> servers,
         postgres_settings(options, reads ? PostgresAccess::read : PostgresAccess::write));
  std::unique_ptr<PGconn, Finish> connection = connect_to_one(servers);
  if (!connection) return fail(kNotReached);
  auto bulk = std::make_unique<PostgresBulk>(std::move(connection));
  SR_CHECK_OK(bulk->run(reads ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN", {}));
  return bulk;
}

}  // namespace strongroom::storage

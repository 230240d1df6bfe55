// Database: the one way to stored rows, over PostgreSQL (production) or SQLite (embedded).
// Repositories are written once, in SQL that both accept: column types bigint, text and bytea;
// parameters $1 to $n; sums and counts of which PostgreSQL makes numeric are CAST to bigint.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "storage/value.h"

namespace strongroom::storage {

enum class ColumnType : std::uint8_t { integer, text, bytes };

struct Column {
  std::string_view name;
  ColumnType type;
};

// Statement is one SQL statement. `sql` is a literal: it is the key under which the statement stays
// prepared, so values never become part of it.
struct Statement {
  std::string_view sql;
  std::vector<Value> parameters{};             // $1 to $n
  std::optional<std::uint64_t> expect_rows{};  // rows it must affect (SELECT: give), else conflict
};

// ManySql is one SQL statement for any number of rows. "{given}" in `sql` stands for them where a
// table may stand: a table named `given` with these columns, as in
//   INSERT INTO uses (id, at) SELECT id, at FROM {given} WHERE true ON CONFLICT DO NOTHING
//   UPDATE cards SET note = given.note FROM {given} WHERE card_id = given.id RETURNING card_id
// PostgreSQL works all rows off as one; SQLite, where a statement costs little, row by row. So a
// statement must not depend on what it does for its other rows, and answers with rows in any order.
// The text and the columns are literals.
struct ManySql {
  std::string_view sql;
  std::span<const Column> given;
  // Of a SELECT in write_many(): nobody else changes or deletes the rows that it reads before the
  // transaction ends. It costs less than an UPDATE that changes nothing.
  bool locks = false;
};

// A ManySql with its rows; each has the values of the columns. Callers whose batches may touch the
// same stored rows give these in one order: two batches with opposite orders wait for each other
// until PostgreSQL ends one (conflict).
struct ManyStatement {
  ManySql many;
  std::vector<Row> rows;
};

// The unavailable that means a full disk: it lasts until somebody makes room.
inline constexpr Error kDiskFull{ErrorCode::unavailable, "database's disk is full"};
[[nodiscard]] constexpr bool is_disk_full(const Error& error) noexcept {
  return error.code() == kDiskFull.code() && error.what() == kDiskFull.what();
}

// Database belongs to one Loop: every call, and the destructor, on that loop's thread. close() is
// awaited before the destructor. Calls may overlap freely; each sees what earlier calls committed.
//
// Errors of every call:
//   unavailable       the database is not reached, or ran out of time, or its disk is full
//                     (is_disk_full); nothing happened
//   exhausted         Options::requests_max calls are waiting; nothing happened
//   unknown_outcome   the connection was lost, or the disk failed, while the effect was being made
//                     durable (never from read)
//   conflict          a constraint, expect_rows or a serialization failure; nothing happened. The
//                     error's detail is the index of the statement
//   invalid_argument  the SQL, or a value in it, was refused; nothing happened. The SQLSTATE is
//                     logged
//   corrupt           the database reports damaged pages
class Database {
 public:
  virtual ~Database() = default;

  // The rows of a statement that changes nothing; one that would is refused with invalid_argument.
  [[nodiscard]] virtual async::Task<Result<Rows>> read(Statement statement) = 0;

  // Runs the statements as one transaction, durable on return, and gives the rows of each. A
  // statement whose count of rows differs from its expect_rows rolls everything back.
  [[nodiscard]] virtual async::Task<Result<std::vector<Rows>>> write(
      std::vector<Statement> statements) = 0;

  // read() and write() for many rows at once. A statement without rows gives none.
  [[nodiscard]] virtual async::Task<Result<Rows>> read_many(ManyStatement statement) = 0;
  [[nodiscard]] virtual async::Task<Result<std::vector<Rows>>> write_many(
      std::vector<ManyStatement> statements) = 0;

  // True while a transaction that has written, of whoever works in this database as we do, is open
  // for longer than `age`: its commit waits for a synchronous standby, so that it may still become
  // visible, also when the connection that sent it is gone. Errors of read. Always false with
  // SQLite, which ends with its process.
  [[nodiscard]] virtual async::Task<Result<bool>> has_open_for(std::chrono::milliseconds age) = 0;

  // True while calls can be served; for /readyz.
  [[nodiscard]] virtual bool ready() const = 0;
  // False from a write that found the disk full until there is room again; for /readyz. Always true
  // with PostgreSQL, whose disk is its server's to watch.
  [[nodiscard]] virtual bool has_room() const = 0;

  // Lets calls under way end, refuses new ones (unavailable) and disconnects. Call it once.
  [[nodiscard]] virtual async::Task<void> close() = 0;
};

// write_many() of one statement.
[[nodiscard]] async::Task<Result<Rows>> write_rows(Database& database, ManySql many,
                                                   std::vector<Row> rows);

struct Options {
  // "sqlite:/path/to/file" (made with mode 0600 when absent), or a libpq URI ("postgresql://...").
  // Over TCP it must say sslmode=verify-full; "host" names a Unix socket's folder when it starts
  // with "/". Hosts are IP addresses or "localhost": libpq resolves names while the loop waits. Of
  // several the one that is no standby is used, whichever it is by then.
  std::string url;
  std::size_t connections = 2;  // PostgreSQL: for writing; reading has one more of its own
  // Above what the slowest statement needs. A server that is silent for a second more is given up.
  std::chrono::milliseconds statement_timeout{5000};
  std::chrono::milliseconds connect_timeout{3000};  // PostgreSQL, each server: with the handshake
  std::size_t requests_max = 4096;                  // calls waiting or under way, per connection
};

// A Database that connects in the background, and again after every loss, for as long as it lives.
// Calls made while it tries wait for the outcome; while it rests between attempts they get
// unavailable. `loop` outlives it. invalid_argument: the URL is not understood, or would go without
// TLS.
[[nodiscard]] Result<std::unique_ptr<Database>> open(async::Loop& loop, const Options& options);

}  // namespace strongroom::storage

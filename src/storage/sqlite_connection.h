// SqliteConnection: one connection to a SQLite file, with its prepared statements. It belongs to
// one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/answer.h"
#include "storage/value.h"

struct sqlite3;
struct sqlite3_stmt;

namespace strongroom::storage {

// SqliteFile is the file that a database's connections share.
struct SqliteFile {
  std::string path;
  std::chrono::milliseconds statement_timeout;
  std::mutex opening{};  // switching a fresh file to WAL needs it alone
  // The file that was opened first. Another in its place, as a restore puts there, has a schema
  // that nobody has checked, and one made anew would be empty.
  std::optional<ino_t> inode{};
};

enum class SqliteAccess : std::uint8_t { write, read };

class SqliteConnection {
 public:
  // Opens `file`, with mode 0600 when it makes it: WAL (so readers never wait for the writer),
  // synchronous FULL (what is committed survives a power cut), secure_delete (what is deleted is
  // overwritten). permission_denied: the file is open to other users; unavailable, also when the
  // file is gone or another than it was; corrupt.
  [[nodiscard]] static Result<std::unique_ptr<SqliteConnection>> open(SqliteFile& file,
                                                                      SqliteAccess access);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Runs one statement within the file's statement timeout. Errors: as Database's.
  [[nodiscard]] Result<Answer> run(std::string_view sql, std::span<const Value> parameters = {});
  // The same for a statement whose rows are too many to keep: `take` gets one at a time, and ends
  // it by an error.
  [[nodiscard]] Result<void> each(std::string_view sql,
                                  const std::function<Result<void>(Row)>& take);
  // True inside BEGIN ... COMMIT. Some errors make SQLite roll back by itself.
  [[nodiscard]] bool in_transaction() const noexcept;
  // True when the file is no longer where it was opened: what is written to it would be lost.
  [[nodiscard]] bool file_has_moved() const noexcept;
  // Calls `hook` after each commit with the pages in the write-ahead log, which then never is
  // copied into the file by itself.
  void on_commit(std::function<void(int pages)> hook);
  // Copies what it can of the write-ahead log into the file, without waiting for anyone.
  void checkpoint() noexcept;

 private:
  struct Prepared {
    std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement;
    std::vector<int> positions;  // of $1 to $n in the statement's own count
  };

  SqliteConnection(sqlite3* handle, SqliteFile& file, SqliteAccess access) noexcept
      : handle_(handle), timeout_(file.statement_timeout), access_(access) {}
  Result<void> configure();
  void wait_for_write_ahead_log();
  Result<Prepared*> prepared(std::string_view sql);
  Result<void> bind(const Prepared& prepared, std::span<const Value> parameters);
  Error refusal(int code) const;
  static int stop_when_late(void* self);

  sqlite3* handle_;
  std::chrono::milliseconds timeout_;
  SqliteAccess access_;
  std::chrono::steady_clock::time_point deadline_{};
  std::function<void(int)> hook_;
  TextMap<Prepared> prepared_;
};

}  // namespace strongroom::storage

// SQLite's C interface: opening, preparing, binding, stepping, and what its result codes mean.
#include "storage/sqlite_connection.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "storage/database.h"

namespace strongroom::storage {
namespace {

constexpr int kStepsBetweenLooks = 10'000;  // of SQLite's virtual machine: about a millisecond
constexpr std::chrono::milliseconds kBetweenTries{5};
constexpr std::string_view kSettings[] = {
    "PRAGMA synchronous=FULL",   "PRAGMA foreign_keys=ON",    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON", "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8192",
};

Result<void> sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!synced) return fail({ErrorCode::unavailable, "cannot sync the database's folder"});
  return {};
}

// Makes the file ourselves: SQLite's mode for a new one depends on the umask. Its WAL and index get
// the mode of the file.
Result<void> make_private(const std::string& path) {
  const int made = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (made < 0 && errno == EEXIST) return {};
  if (made < 0) {
    return fail(Error{ErrorCode::unavailable, "cannot make the database file"}.with_detail(
        static_cast<std::uint32_t>(errno)));
  }
  ::close(made);
  return sync_folder_of(path);
}

Result<void> find_or_make(SqliteFile& file) {
  if (!file.inode) SR_CHECK_OK(make_private(file.path));
  struct stat status{};
  if (::stat(file.path.c_str(), &status) != 0) {
    return fail(Error{ErrorCode::unavailable, "database file is gone"}.with_detail(
        static_cast<std::uint32_t>(errno)));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail({ErrorCode::permission_denied, "database file is open to other users"});
  }
  if (file.inode && *file.inode != status.st_ino) {
    return fail({ErrorCode::unavailable, "database file was replaced: restart to use it"});
  }
  file.inode = status.st_ino;
  return {};
}

Error error_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return {ErrorCode::conflict, "constraint violated"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::corrupt, "database file is damaged"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::unavailable, "database file is busy"};
    case SQLITE_INTERRUPT:
      return {ErrorCode::unavailable, "statement took too long"};
    case SQLITE_FULL:
      return kDiskFull;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return {ErrorCode::unavailable, "database file cannot be used"};
    default:
      return {ErrorCode::invalid_argument, "SQL was refused"};
  }
}

Value value_at(sqlite3_stmt* statement, int column) {
  const auto bytes = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return std::span(static_cast<const std::byte*>(data), data ? size : 0);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return Value::integer(sqlite3_column_int64(statement, column));
    case SQLITE_TEXT:
      return Value::text(as_text(bytes(sqlite3_column_text(statement, column))));
    case SQLITE_BLOB:
      return StoredBytes::value(bytes(sqlite3_column_blob(statement, column)));
    default:  // a NULL; no column of ours is REAL
      return Value::null();
  }
}

Row row_of(sqlite3_stmt* statement) {
  Row row;
  const int columns = sqlite3_column_count(statement);
  row.reserve(static_cast<std::size_t>(columns));
  for (int i = 0; i < columns; ++i) row.push_back(value_at(statement, i));
  return row;
}

// The values outlive the step, so SQLite need not copy them.
int bind_value(sqlite3_stmt* statement, int position, const Value& value) {
  if (value.is_null()) return sqlite3_bind_null(statement, position);
  if (const auto number = value.integer()) {
    return sqlite3_bind_int64(statement, position, *number);
  }
  if (const auto text = value.text()) {
    // PostgreSQL cannot hold a NUL in text; neither do we.
    if (text->find('\0') != std::string_view::npos) return SQLITE_MISMATCH;
    return sqlite3_bind_text64(statement, position, text->data(), text->size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  }
  const auto bytes = value.bytes();
  static constexpr std::byte kNothing{};  // a null pointer would bind NULL, not empty bytes
  return sqlite3_bind_blob64(statement, position, bytes->empty() ? &kNothing : bytes->data(),
                             bytes->size(), SQLITE_STATIC);
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(SqliteFile& file,
                                                                 SqliteAccess access) {
  const std::scoped_lock alone(file.opening);
  SR_CHECK_OK(find_or_make(file));
  sqlite3* handle = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.path.c_str(), &handle, kFlags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle, file, access));
  if (code != SQLITE_OK) return fail(connection->refusal(code));
  SR_CHECK_OK(connection->configure());
  return connection;
}

SqliteConnection::~SqliteConnection() {
  prepared_.clear();
  sqlite3_close(handle_);
}

Result<void> SqliteConnection::configure() {
  sqlite3_busy_timeout(handle_, static_cast<int>(timeout_.count()));
  sqlite3_progress_handler(handle_, kStepsBetweenLooks, &stop_when_late, this);
  wait_for_write_ahead_log();
  SR_TRY(const Answer mode, run("PRAGMA journal_mode=WAL"));
  if (mode.rows.size() != 1 || mode.rows[0][0] != Value::text("wal")) {
    return fail({ErrorCode::unavailable, "database file cannot have a write-ahead log"});
  }
  for (const std::string_view setting : kSettings) SR_CHECK_OK(run(setting));
  if (access_ == SqliteAccess::read) SR_CHECK_OK(run("PRAGMA query_only=ON"));
  return {};
}

// SQLite waits for no one while it switches a fresh file to WAL: of two processes that open one at
// the same moment, the second would hear at once that it is busy.
void SqliteConnection::wait_for_write_ahead_log() {
  deadline_ = std::chrono::steady_clock::now() + timeout_;
  constexpr const char* kSwitch = "PRAGMA journal_mode=WAL";
  while ((sqlite3_exec(handle_, kSwitch, nullptr, nullptr, nullptr) & 0xff) == SQLITE_BUSY &&
         std::chrono::steady_clock::now() < deadline_) {
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<Answer> SqliteConnection::run(std::string_view sql, std::span<const Value> parameters) {
  SR_TRY(Prepared* const prepared_sql, prepared(sql));
  sqlite3_stmt* const statement = prepared_sql->statement.get();
  SR_CHECK_OK(bind(*prepared_sql, parameters));
  deadline_ = std::chrono::steady_clock::now() + timeout_;
  Answer answer;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) answer.rows.push_back(row_of(statement));
  const bool changes = sqlite3_stmt_readonly(statement) == 0;
  if (code == SQLITE_DONE) {
    answer.affected =
        changes ? static_cast<std::uint64_t>(sqlite3_changes64(handle_)) : answer.rows.size();
  }
  sqlite3_reset(statement);
  if (code != SQLITE_DONE) return fail(refusal(code));
  return answer;
}

Result<void> SqliteConnection::each(std::string_view sql,
                                    const std::function<Result<void>(Row)>& take) {
  SR_TRY(Prepared* const prepared_sql, prepared(sql));
  sqlite3_stmt* const statement = prepared_sql->statement.get();
  deadline_ = std::chrono::steady_clock::now() + timeout_;
  Result<void> taken;
  int code = SQLITE_DONE;
  while (taken && (code = sqlite3_step(statement)) == SQLITE_ROW) taken = take(row_of(statement));
  sqlite3_reset(statement);
  if (!taken) return taken;
  return code == SQLITE_DONE ? Result<void>{} : fail(refusal(code));
}

Result<SqliteConnection::Prepared*> SqliteConnection::prepared(std::string_view sql) {
  if (const auto found = prepared_.find(sql); found != prepared_.end()) return &found->second;
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, &tail);
  Prepared fresh{{raw, &sqlite3_finalize}, {}};
  if (code != SQLITE_OK) return fail(refusal(code));
  if (!raw || tail != sql.data() + sql.size()) {
    return fail({ErrorCode::invalid_argument, "not exactly one SQL statement"});
  }
  const int count = sqlite3_bind_parameter_count(raw);
  for (int i = 1; i <= count; ++i) {
    fresh.positions.push_back(sqlite3_bind_parameter_index(raw, fmt::format("${}", i).c_str()));
  }
  return &prepared_.emplace(sql, std::move(fresh)).first->second;
}

Result<void> SqliteConnection::bind(const Prepared& prepared, std::span<const Value> parameters) {
  if (prepared.positions.size() != parameters.size()) {
    return fail({ErrorCode::invalid_argument, "wrong number of parameters"});
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const int code = bind_value(prepared.statement.get(), prepared.positions[i], parameters[i]);
    if (code != SQLITE_OK) return fail(refusal(code));
  }
  return {};
}

bool SqliteConnection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(handle_) == 0;
}

bool SqliteConnection::file_has_moved() const noexcept {
  int moved = 0;
  sqlite3_file_control(handle_, nullptr, SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved != 0;
}

void SqliteConnection::on_commit(std::function<void(int pages)> hook) {
  hook_ = std::move(hook);
  const auto call = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteConnection*>(self)->hook_(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_, call, this);
}

void SqliteConnection::checkpoint() noexcept {
  sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

int SqliteConnection::stop_when_late(void* self) {
  return std::chrono::steady_clock::now() > static_cast<SqliteConnection*>(self)->deadline_ ? 1 : 0;
}

// SQLite's message can quote values; its code cannot.
Error SqliteConnection::refusal(int code) const {
  Error error = error_of(code);
  if (access_ == SqliteAccess::read && code == SQLITE_READONLY) {
    error = {ErrorCode::invalid_argument, "reading may not change anything"};
  }
  // Of a full disk the worker tells, once.
  if (error.code() != ErrorCode::conflict && !is_disk_full(error)) {
    log::warn("sqlite", {{"code", code}, {"error", error}});
  }
  return error;
}

}  // namespace strongroom::storage

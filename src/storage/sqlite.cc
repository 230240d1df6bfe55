// Database over two SqliteWorkers.
#include "storage/sqlite.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "storage/sql_text.h"
#include "storage/sqlite_checkpointer.h"
#include "storage/sqlite_connection.h"
#include "storage/sqlite_worker.h"

namespace strongroom::storage {
namespace {

constexpr std::string_view kScheme = "sqlite:";

Result<Rows> run_one(SqliteConnection& connection, const Statement& statement) {
  SR_TRY(Answer answer, connection.run(statement.sql, statement.parameters));
  if (statement.expect_rows && answer.affected != *statement.expect_rows) {
    return fail({ErrorCode::conflict, "unexpected number of rows"});
  }
  return std::move(answer.rows);
}

Result<std::vector<Rows>> run_all(SqliteConnection& connection,
                                  const std::vector<Statement>& statements) {
  std::vector<Rows> all;
  for (const Statement& statement : statements) {
    auto rows = run_one(connection, statement);
    if (!rows) return fail(rows.error().with_detail(static_cast<std::uint32_t>(all.size())));
    all.push_back(*std::move(rows));
  }
  return all;
}

Result<Rows> run_many(SqliteConnection& connection, const ManyStatement& statement) {
  const std::string sql = row_sql(statement.many);
  Rows all;
  for (const Row& row : statement.rows) {
    SR_TRY(Answer answer, connection.run(sql, row));
    std::ranges::move(answer.rows, std::back_inserter(all));
  }
  return all;
}

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(async::Loop& loop, std::string path, const Options& options)
      : file_{std::move(path), options.statement_timeout, {}},
        checkpointer_(std::make_unique<SqliteCheckpointer>(file_)),
        writer_(loop, file_, SqliteAccess::write, options.requests_max,
                [this](SqliteConnection& writer, int pages) {
                  checkpointer_->committed(writer, pages);
                }),
        reader_(loop, file_, SqliteAccess::read, options.requests_max, {}) {}

  async::Task<Result<Rows>> read(Statement statement) override {
    const auto work = [&](SqliteConnection& connection) { return run_one(connection, statement); };
    co_return co_await run<Rows>(reader_, work);
  }

  async::Task<Result<std::vector<Rows>>> write(std::vector<Statement> statements) override {
    const auto work = [&](SqliteConnection& connection) { return run_all(connection, statements); };
    co_return co_await run<std::vector<Rows>>(writer_, work);
  }

  async::Task<Result<Rows>> read_many(ManyStatement statement) override {
    const auto work = [&](SqliteConnection& connection) { return run_many(connection, statement); };
    co_return co_await run<Rows>(reader_, work);
  }

  async::Task<Result<std::vector<Rows>>> write_many(
      std::vector<ManyStatement> statements) override {
    const auto work = [&](SqliteConnection& connection) -> Result<std::vector<Rows>> {
      std::vector<Rows> all;
      for (const ManyStatement& statement : statements) {
        SR_TRY(Rows rows, run_many(connection, statement));
        all.push_back(std::move(rows));
      }
      return all;
    };
    co_return co_await run<std::vector<Rows>>(writer_, work);
  }

  async::Task<Result<bool>> has_open_for(std::chrono::milliseconds) override { co_return false; }
  bool ready() const override { return writer_.ready() && reader_.ready(); }
  bool has_room() const override { return writer_.has_room(); }

  async::Task<void> close() override {
    co_await reader_.close();
    co_await writer_.close();
    checkpointer_.reset();
  }

 private:
  // What `work` gives for the worker's connection.
  template <class T, class MakeT>
  static async::Task<Result<T>> run(SqliteWorker& worker, const MakeT& work) {
    T given;
    SqliteWorker::Work assign = [&](SqliteConnection& connection) -> Result<void> {
      SR_TRY(given, work(connection));
      return {};
    };
    SR_CO_CHECK_OK(co_await worker.run(std::move(assign)));
    co_return given;
  }

  SqliteFile file_;
  std::unique_ptr<SqliteCheckpointer> checkpointer_;
  SqliteWorker writer_;
  SqliteWorker reader_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(async::Loop& loop, const Options& options) {
  std::string path = options.url.substr(std::min(options.url.size(), kScheme.size()));
  if (!options.url.starts_with(kScheme) || path.empty()) {
    return fail({ErrorCode::invalid_argument, "database URL names no SQLite file"});
  }
  return std::make_unique<SqliteDatabase>(loop, std::move(path), options);
}

}  // namespace strongroom::storage

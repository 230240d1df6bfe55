// Database over pipelined connections: some that write, and one that cannot.
#include "storage/postgres.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "storage/postgres_connection.h"
#include "storage/postgres_settings.h"
#include "storage/sql_text.h"

namespace strongroom::storage {
namespace {

// A transaction has a backend_xid from its first write until others see what it wrote.
constexpr std::string_view kOpenFor =
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND backend_xid IS NOT NULL"
    " AND xact_start < clock_timestamp() - $1 * interval '1 ms'";

PostgresCommand command_of(const Statement& statement) {
  PostgresCommand command{std::string(statement.sql), {}, statement.expect_rows};
  for (const Value& value : statement.parameters) command.parameters.push_back(encode(value));
  return command;
}

Result<PostgresCommand> command_of(const ManyStatement& statement) {
  PostgresCommand command{arrays_sql(statement.many), {}};
  for (std::size_t i = 0; i < statement.many.given.size(); ++i) {
    SR_TRY(PostgresParameter array, encode_array(statement.many.given[i].type, statement.rows, i));
    command.parameters.push_back(std::move(array));
  }
  return command;
}

class PostgresDatabase final : public Database {
 public:
  using Connections = std::vector<std::unique_ptr<PostgresConnection>>;

  PostgresDatabase(Connections writers, std::unique_ptr<PostgresConnection> reader)
      : writers_(std::move(writers)), reader_(std::move(reader)) {}

  async::Task<Result<Rows>> read(Statement statement) override {
    std::vector<PostgresCommand> commands{};
    commands.push_back(command_of(statement));
    auto answers = co_await reader_->run(std::move(commands), false);
    if (!answers) co_return fail(answers.error());
    co_return std::move(answers->front().rows);
  }

  async::Task<Result<std::vector<Rows>>> write(std::vector<Statement> statements) override {
    std::vector<Rows> rows;
    if (statements.empty()) co_return rows;
    std::vector<PostgresCommand> commands{};
    commands.reserve(statements.size());
    for (const Statement& statement : statements) commands.push_back(command_of(statement));
    auto answers = co_await writer().run(std::move(commands), true);
    if (!answers) co_return fail(answers.error());
    for (Answer& answer : *answers) rows.push_back(std::move(answer.rows));
    co_return rows;
  }

  async::Task<Result<Rows>> read_many(ManyStatement statement) override {
    if (statement.rows.empty()) co_return Rows{};
    std::vector<PostgresCommand> commands{};
    SR_CO_TRY(commands.emplace_back(), command_of(statement));
    auto answers = co_await reader_->run(std::move(commands), false);
    if (!answers) co_return fail(answers.error());
    co_return std::move(answers->front().rows);
  }

  async::Task<Result<std::vector<Rows>>> write_many(
      std::vector<ManyStatement> statements) override {
    std::vector<Rows> rows(statements.size());
    std::vector<PostgresCommand> commands{};
    commands.reserve(statements.size());
    for (const ManyStatement& statement : statements) {
      if (statement.rows.empty()) continue;
      SR_CO_TRY(commands.emplace_back(), command_of(statement));
    }
    if (commands.empty()) co_return rows;
    auto answers = co_await writer().run(std::move(commands), true);
    if (!answers) co_return fail(answers.error());
    auto answer = answers->begin();
    for (std::size_t i = 0; i < statements.size(); ++i) {
      if (!statements[i].rows.empty()) rows[i] = std::move((answer++)->rows);
    }
    co_return rows;
  }

  async::Task<Result<bool>> has_open_for(std::chrono::milliseconds age) override {
    Statement statement{kOpenFor, {Value::integer(age.count())}};
    SR_CO_TRY(const Rows rows, co_await read(std::move(statement)));
    SR_CO_TRY(const std::int64_t open, rows.at(0)[0].integer());
    co_return open > 0;
  }

  bool ready() const override {
    return reader_->ready() && std::ranges::any_of(writers_, &PostgresConnection::ready);
  }
  bool has_room() const override { return true; }

  async::Task<void> close() override {
    for (auto& connection : writers_) co_await connection->close();
    co_await reader_->close();
  }

 private:
  // The connection with the least to do among those that would take a call.
  PostgresConnection& writer() {
    const auto rank = [](const auto& connection) {
      return std::tuple(connection->resting(), !connection->ready(), connection->load());
    };
    return **std::ranges::min_element(writers_, {}, rank);
  }

  Connections writers_;
  std::unique_ptr<PostgresConnection> reader_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(async::Loop& loop, const Options& options) {
  if (options.connections == 0) {
    return fail({ErrorCode::invalid_argument, "database needs a connection"});
  }
  SR_TRY(const auto writing, postgres_settings(options, PostgresAccess::write));
  SR_TRY(const auto reading, postgres_settings(options, PostgresAccess::read));
  const PostgresLimits limits{options.statement_timeout, options.connect_timeout,
                              options.requests_max};
  PostgresDatabase::Connections writers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    writers.push_back(std::make_unique<PostgresConnection>(loop, writing, limits));
  }
  return std::make_unique<PostgresDatabase>(
      std::move(writers), std::make_unique<PostgresConnection>(loop, reading, limits));
}

}  // namespace strongroom::storage

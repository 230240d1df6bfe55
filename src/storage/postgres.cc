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

PostgresCommand command_of(const Statement& statement) {
  PostgresCommand command{std::string(statement.sql), {}, statement.expect_rows};
  for (const Value& value : statement.parameters) command.parameters.push_back(encode(value));
  return command;
}

Result<PostgresCommand> command_of(std::string sql, std::span<const Column> columns,
                                   std::span<const Row> rows) {
  PostgresCommand command{std::move(sql), {}};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    SR_TRY(PostgresParameter array, encode_array(columns[i].type, rows, i));
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
    for (const Statement& statement : statements) commands.push_back(command_of(statement));
    auto answers = co_await writer().run(std::move(commands), true);
    if (!answers) co_return fail(answers.error());
    for (Answer& answer : *answers) rows.push_back(std::move(answer.rows));
    co_return rows;
  }

  async::Task<Result<Rows>> insert_many(const InsertMany& insert, std::vector<Row> rows) override {
    if (rows.empty()) co_return Rows{};
    auto command = command_of(insert_arrays_sql(insert), insert.columns, rows);
    auto answer = co_await write_one(std::move(command));
    if (!answer) co_return fail(answer.error());
    co_return std::move(answer->rows);
  }

  async::Task<Result<std::uint64_t>> update_many(const UpdateMany& update,
                                                 std::vector<Row> rows) override {
    if (rows.empty()) co_return std::uint64_t{0};
    std::vector<Column> columns{};
    columns.push_back(update.key);
    columns.insert(columns.end(), update.set.begin(), update.set.end());
    auto command = command_of(update_arrays_sql(update), columns, rows);
    auto answer = co_await write_one(std::move(command));
    if (!answer) co_return fail(answer.error());
    co_return answer->affected;
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
  async::Task<Result<Answer>> write_one(Result<PostgresCommand> command) {
    if (!command) co_return fail(command.error());
    std::vector<PostgresCommand> commands{};
    commands.push_back(*std::move(command));
    auto answers = co_await writer().run(std::move(commands), true);
    if (!answers) co_return fail(answers.error());
    co_return std::move(answers->front());
  }

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
  SR_TRY(const PostgresSettings writing, postgres_settings(options, PostgresAccess::write));
  SR_TRY(const PostgresSettings reading, postgres_settings(options, PostgresAccess::read));
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

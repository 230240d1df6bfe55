// DatabaseTest: a fresh database per test, of each kind in turn; for the contract tests of storage.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "base/encoding.h"
#include "base/try.h"
#include "storage/database.h"
#include "support/temporary_postgres.h"

namespace strongroom::storage {

// The PostgreSQL server of the test program, started when first asked for; none: not installed.
testing::TemporaryPostgres* postgres_server();

// A fresh schema on that server, as a URL: over TCP with TLS, or over its Unix socket.
std::string postgres_schema_url(bool tcp);

using CardId = Id<struct CardIdTag>;

// An id, or a digest, that is `n` and zeros otherwise.
inline CardId card_id(std::uint64_t n) {
  CardId id;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<std::byte>(n >> (8 * i));
  return id;
}
inline std::array<std::byte, 32> digest_of(std::uint64_t n) {
  std::array<std::byte, 32> digest{};
  for (std::size_t i = 0; i < 8; ++i) digest[i] = static_cast<std::byte>(n >> (8 * i));
  return digest;
}

// The parameter is "sqlite", "postgresql" (TCP with TLS) or "unix".
class DatabaseTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  bool is_sqlite() const { return std::string_view(GetParam()) == "sqlite"; }
  void open_database();
  void close_database();

  template <class T>
  T run(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  // Runs make(0), make(1), ... make(count - 1) at once, until all have ended.
  template <class Make>
  void run_together(std::size_t count, Make make) {
    std::size_t pending = count;
    const auto count_down = [](async::Task<void> task, std::size_t& left) -> async::Task<void> {
      co_await std::move(task);
      --left;
    };
    for (std::size_t i = 0; i < count; ++i) async::spawn(count_down(make(i), pending));
    while (pending > 0) run(loop_.sleep_for(std::chrono::milliseconds(1)));
  }
  Result<Rows> read(std::string_view sql, std::vector<Value> parameters = {}) {
    return run(database_->read({sql, std::move(parameters)}));
  }
  Result<std::vector<Rows>> write(std::string_view sql, std::vector<Value> parameters = {}) {
    std::vector<Statement> statements;
    statements.push_back({sql, std::move(parameters)});
    return run(database_->write(std::move(statements)));
  }
  Result<std::vector<Rows>> write_all(std::vector<Statement> statements) {
    return run(database_->write(std::move(statements)));
  }
  // Tries for some seconds: right after a loss, while the database comes back.
  Result<Rows> read_until_ready(std::string_view sql);
  // The one integer that `sql` gives, or -1.
  std::int64_t number(std::string_view sql);

  async::Loop loop_;
  std::filesystem::path folder_;
  Options options_;
  std::unique_ptr<Database> database_;
};

// `card` of the tests: what the vault's table is like.
inline constexpr std::string_view kCreateCards =
    "CREATE TABLE card(card_id bytea NOT NULL PRIMARY KEY, fingerprint bytea UNIQUE, note text,"
    " uses bigint NOT NULL)";
inline constexpr Column kCardColumns[] = {{"card_id", ColumnType::bytes},
                                          {"fingerprint", ColumnType::bytes},
                                          {"note", ColumnType::text},
                                          {"uses", ColumnType::integer}};
inline constexpr ManySql kInsertCards{
    "INSERT INTO card(card_id, fingerprint, note, uses) SELECT card_id, fingerprint, note, uses"
    " FROM {given} WHERE true ON CONFLICT DO NOTHING RETURNING card_id",
    kCardColumns};

inline Row card(std::uint64_t id, std::uint64_t fingerprint) {
  return {Value::id(card_id(id)), Value::digest(digest_of(fingerprint)), Value::text("a note"),
          Value::integer(0)};
}

}  // namespace strongroom::storage

// Opening a fresh database of the kind that a test asks for.
#include "contract/database_fixture.h"

#include <fmt/core.h>

namespace strongroom::storage {
namespace {

std::unique_ptr<strongroom::testing::TemporaryPostgres> server;

class StopServer final : public ::testing::Environment {
 public:
  void TearDown() override { server.reset(); }
};
const auto* const kStopServer = ::testing::AddGlobalTestEnvironment(new StopServer);

}  // namespace

testing::TemporaryPostgres* postgres_server() {
  static const bool started = [] {
    server = testing::TemporaryPostgres::start();
    return true;
  }();
  return started ? server.get() : nullptr;
}

// A schema is a tenth of the work of a database.
std::string postgres_schema_url(bool tcp) {
  static int schemas = 0;
  const std::string schema = fmt::format("test_{}", ++schemas);
  server->query("postgres", "CREATE SCHEMA " + schema);
  return (tcp ? server->url("postgres") : server->unix_url("postgres")) +
         "&options=-csearch_path%3D" + schema;
}

void DatabaseTest::SetUp() {
  if (is_sqlite()) {
    std::string name = (std::filesystem::temp_directory_path() / "strongroom-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    options_.url = "sqlite:" + (folder_ / "test.db").string();
  } else {
    if (!postgres_server()) GTEST_SKIP() << "PostgreSQL is not installed";
    options_.url = postgres_schema_url(std::string_view(GetParam()) == "postgresql");
  }
  open_database();
}

void DatabaseTest::TearDown() {
  close_database();
  if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

void DatabaseTest::open_database() {
  auto opened = open(loop_, options_);
  ASSERT_TRUE(opened.has_value()) << opened.error().what();
  database_ = *std::move(opened);
}

void DatabaseTest::close_database() {
  if (!database_) return;
  run(database_->close());
  database_.reset();
}

Result<Rows> DatabaseTest::read_until_ready(std::string_view sql) {
  for (int attempt = 0;; ++attempt) {
    auto rows = read(sql);
    if (rows || rows.error().code() != ErrorCode::unavailable || attempt == 100) return rows;
    run(loop_.sleep_for(std::chrono::milliseconds(50)));
  }
}

std::int64_t DatabaseTest::number(std::string_view sql) {
  const auto rows = read(sql);
  if (!rows || rows->empty()) return -1;
  return rows->front().front().integer().value_or(-1);
}

}  // namespace strongroom::storage

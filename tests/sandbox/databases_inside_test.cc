// SQLite, and libpq with TLS, inside vaultd's rights. The list of system calls was made for these
// libraries; a new version that wants another call shows here first.
#include <gtest/gtest.h>

#include <filesystem>

#include "async/loop.h"
#include "crypto/warm_up.h"
#include "sandbox/child_for_test.h"
#include "sandbox/vaultd.h"
#include "storage/database.h"
#include "support/temporary_postgres.h"

namespace strongroom {
namespace {

using sandbox::Findings;
using sandbox::TemporaryFolder;

// What a child finds that writes to the database at `url`, reads it back and closes it.
std::string use_inside(const sandbox::VaultdPaths& paths, const std::string& url) {
  return sandbox::in_child([&](Findings& findings) {
    crypto::warm_up();
    findings.expect(sandbox::enter_vaultd(paths).has_value(), "enter");
    async::Loop loop;
    auto opened = storage::open(loop, {.url = url});
    if (!opened) return findings.expect(false, "open");
    const std::unique_ptr<storage::Database> database = *std::move(opened);
    for (const char* sql :
         {"CREATE TABLE inside (id bigint PRIMARY KEY)", "INSERT INTO inside VALUES (1), (2)"}) {
      std::vector<storage::Statement> statements{{.sql = sql}};
      const auto written = loop.run_until_done(database->write(std::move(statements)));
      findings.expect(written.has_value(), sql);
    }
    const auto rows = loop.run_until_done(database->read({.sql = "SELECT id FROM inside"}));
    findings.expect(rows && rows->size() == 2, "read");
    loop.run_until_done(database->close());
  });
}

class DatabasesInsideTest : public sandbox::SandboxFixture {
 protected:
  TemporaryFolder folder_;
};

TEST_F(DatabasesInsideTest, SqliteWorks) {
  std::filesystem::create_directory(folder_ / "db");
  EXPECT_EQ(use_inside({.database_folder = folder_ / "db"}, "sqlite:" + (folder_ / "db/vault.db")),
            "");
}

TEST_F(DatabasesInsideTest, PostgresWorksOverTls) {
  const auto server = testing::TemporaryPostgres::start();
  if (!server) GTEST_SKIP() << "PostgreSQL is not installed";
  // The server's folder is its own user's; a process without privileges needs a copy of the CA.
  std::string url = server->url("postgres");
  const std::size_t authority = url.rfind('=') + 1;
  std::filesystem::copy_file(url.substr(authority), folder_ / "ca.crt");
  url.replace(authority, std::string::npos, folder_ / "ca.crt");
  const int port = std::stoi(url.substr(url.find(':', url.find('@')) + 1));
  EXPECT_EQ(use_inside({.credential_paths = {folder_ / "ca.crt"},
                        .connect_ports = {static_cast<std::uint16_t>(port)}},
                       url),
            "");
}

}  // namespace
}  // namespace strongroom

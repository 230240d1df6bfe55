// What callers see while a SQLite file is absent, busy or damaged, and who may read it.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "contract/database_fixture.h"
#include "contract/full_disk.h"

namespace strongroom::storage {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

ErrorCode code_of(const auto& result) {
  return result ? ErrorCode::not_found : result.error().code();  // none of Database's: no error
}

class SqliteRecoveryTest : public DatabaseTest {
 protected:
  fs::path file() const { return folder_ / "test.db"; }
  std::uintmax_t log_size() const { return fs::file_size(file().string() + "-wal"); }
  // True while a transaction of somebody else has written and not ended.
  bool is_being_written() const {
    sqlite3* handle = nullptr;
    sqlite3_open_v2(file().c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
    const int code = sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
    sqlite3_close(handle);
    return code == SQLITE_BUSY;
  }
  Result<Rows> insert(std::uint64_t id) {
    return run(write_rows(*database_, kInsertCards, {card(id, id)}));
  }
};

TEST_P(SqliteRecoveryTest, FilesArePrivate) {
  ASSERT_TRUE(write(kCreateCards));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((file().string() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_P(SqliteRecoveryTest, FileOpenToOthersIsRefusedUntilItIsNot) {
  ASSERT_TRUE(write(kCreateCards));
  close_database();
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::add);
  open_database();
  EXPECT_EQ(code_of(insert(1)), ErrorCode::unavailable);
  EXPECT_FALSE(database_->ready());
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::remove);
  EXPECT_TRUE(read_until_ready("SELECT COUNT(*) FROM card"));
}

TEST_P(SqliteRecoveryTest, FolderMayBeAbsentAtFirst) {
  close_database();
  options_.url = "sqlite:" + (folder_ / "later" / "test.db").string();
  open_database();
  EXPECT_EQ(code_of(read("SELECT 1")), ErrorCode::unavailable);
  fs::create_directory(folder_ / "later");
  EXPECT_TRUE(read_until_ready("SELECT 1"));
}

TEST_P(SqliteRecoveryTest, FreshFileMayBeOpenedByTwoAtOnce) {
  close_database();
  fs::remove(file());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  {
    const std::jthread ends([&] {
      std::this_thread::sleep_for(milliseconds(300));
      EXPECT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
    });
    open_database();
    EXPECT_TRUE(read("SELECT 1"));
  }
  sqlite3_close(other);
}

TEST_P(SqliteRecoveryTest, DamagedFileIsCorrupt) {
  ASSERT_TRUE(write(kCreateCards));
  ASSERT_TRUE(insert(1));
  close_database();
  {
    std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(4096);
    damaged << std::string(fs::file_size(file()) - 4096, '\xee');
  }
  open_database();
  EXPECT_EQ(code_of(read("SELECT COUNT(*) FROM card")), ErrorCode::corrupt);
}

TEST_P(SqliteRecoveryTest, NothingIsWrittenToAFileThatIsGone) {
  ASSERT_TRUE(write(kCreateCards));
  ASSERT_TRUE(insert(1));
  const fs::path aside = folder_ / "aside.db";
  fs::rename(file(), aside);
  EXPECT_EQ(code_of(insert(2)), ErrorCode::unavailable);
  EXPECT_FALSE(database_->ready());
  EXPECT_FALSE(fs::exists(file())) << "a new file would be empty";
  fs::copy(aside, file());  // as a restore does under a running daemon
  run(loop_.sleep_for(milliseconds(600)));
  EXPECT_EQ(code_of(insert(2)), ErrorCode::unavailable);
  fs::rename(aside, file());
  for (int i = 0; i < 1000 && !database_->ready(); ++i) run(loop_.sleep_for(milliseconds(10)));
  EXPECT_TRUE(insert(2));
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 2);
}

class SqliteFullDiskTest : public SqliteRecoveryTest {
 protected:
  void SetUp() override {
    SqliteRecoveryTest::SetUp();
    close_database();
    disk_.emplace();
    open_database();
    ASSERT_TRUE(write(kCreateCards));
    ASSERT_TRUE(insert(1));
    ASSERT_EQ(number("SELECT COUNT(*) FROM card"), 1);  // the reader has opened the file, too
  }
  void TearDown() override {
    SqliteRecoveryTest::TearDown();
    disk_.reset();
  }
  // True as soon as the database says so by itself.
  bool finds_room() {
    for (int i = 0; i < 1000 && !database_->has_room(); ++i) {
      run(loop_.sleep_for(milliseconds(10)));
    }
    return database_->has_room();
  }
  std::optional<FullDisk> disk_;
};

TEST_P(SqliteFullDiskTest, NothingHappensAndReadsGoOn) {
  disk_->fill();
  const auto refused = insert(2);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(is_disk_full(refused.error()));
  EXPECT_TRUE(database_->ready());
  EXPECT_FALSE(database_->has_room());
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 1);
}

TEST_P(SqliteFullDiskTest, EachCallOfAGroupHearsIt) {
  disk_->fill();
  int refused = 0;
  run_together(30, [&](std::size_t i) -> async::Task<void> {
    std::vector<Row> rows{};
    rows.push_back(card(i + 2, i + 2));
    const auto inserted = co_await write_rows(*database_, kInsertCards, std::move(rows));
    if (!inserted && is_disk_full(inserted.error())) ++refused;
  });
  EXPECT_EQ(refused, 30);
  disk_->make_room();
  ASSERT_TRUE(finds_room());
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 1);
}

TEST_P(SqliteFullDiskTest, RoomIsFoundWithoutACall) {
  disk_->fill();
  EXPECT_FALSE(insert(2));
  EXPECT_FALSE(database_->has_room());
  disk_->make_room();
  ASSERT_TRUE(finds_room());
  EXPECT_TRUE(insert(2));
  close_database();
  open_database();
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 2);
}

// A call that writes nothing succeeds on a full disk: it must not pass for room.
TEST_P(SqliteFullDiskTest, CallWithoutEffectShowsNoRoom) {
  disk_->fill();
  EXPECT_FALSE(insert(2));
  EXPECT_TRUE(insert(1));
  EXPECT_FALSE(database_->has_room());
}

TEST_P(SqliteRecoveryTest, BusyFileIsUnavailable) {
  ASSERT_TRUE(write(kCreateCards));
  options_.statement_timeout = milliseconds(1500);
  auto other = open(loop_, options_);
  close_database();
  options_.statement_timeout = milliseconds(300);
  open_database();
  ASSERT_TRUE(other);
  run_together(2, [&](std::size_t i) -> async::Task<void> {
    std::vector<Statement> statements{};
    if (i == 0) {  // holds the writer's lock for as long as its timeout lets it
      statements.push_back({"DELETE FROM card"});
      statements.push_back(
          {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)"
           " SELECT COUNT(*) FROM n"});
      static_cast<void>(co_await (*other)->write(std::move(statements)));
    } else {
      for (int n = 0; n < 1000 && !is_being_written(); ++n) {
        co_await loop_.sleep_for(milliseconds(1));
      }
      statements.push_back({"DELETE FROM card"});
      EXPECT_EQ(code_of(co_await database_->write(std::move(statements))), ErrorCode::unavailable);
    }
  });
  run((*other)->close());
}

TEST_P(SqliteRecoveryTest, DeferredConstraintFailsItsOwnCallOnly) {
  ASSERT_TRUE(write("CREATE TABLE owner(id bigint PRIMARY KEY)"));
  ASSERT_TRUE(
      write("CREATE TABLE thing(owner bigint REFERENCES owner(id) DEFERRABLE INITIALLY DEFERRED)"));
  ASSERT_TRUE(write("INSERT INTO owner(id) VALUES(0)"));
  int refused = 0;
  run_together(30, [&](std::size_t i) -> async::Task<void> {
    std::vector<Statement> statements{};
    statements.push_back(
        {"INSERT INTO thing(owner) VALUES($1)", {Value::integer(i % 10 == 9 ? 1 : 0)}});
    const auto written = co_await database_->write(std::move(statements));
    if (code_of(written) == ErrorCode::conflict) ++refused;
  });
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(number("SELECT COUNT(*) FROM thing"), 27);
}

TEST_P(SqliteRecoveryTest, LogIsCopiedAndStaysBounded) {
  ASSERT_TRUE(write(kCreateCards));
  const std::string note(100'000, 'n');
  // A slow disk copies late: more than the log holds has gone through it sooner or later.
  std::uint64_t cards = 0;
  while (cards < 50 || (log_size() > cards * note.size() && cards < 5'000)) {
    Row row = card(cards, cards);
    row[2] = Value::text(note);
    std::vector<Row> rows;
    rows.push_back(std::move(row));
    ASSERT_TRUE(run(write_rows(*database_, kInsertCards, std::move(rows))));
    ++cards;
  }
  EXPECT_LT(log_size(), cards * note.size());
  close_database();
  EXPECT_FALSE(fs::exists(file().string() + "-wal"));
  open_database();
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), static_cast<std::int64_t>(cards));
}

INSTANTIATE_TEST_SUITE_P(Sqlite, SqliteFullDiskTest, ::testing::Values("sqlite"),
                         [](const auto& kind) { return std::string(kind.param); });
INSTANTIATE_TEST_SUITE_P(Sqlite, SqliteRecoveryTest, ::testing::Values("sqlite"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace strongroom::storage

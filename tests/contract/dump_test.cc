// Dumps: what goes out of one database comes into another, of either kind, whole or not at all.
#include "storage/dump.h"

#include <gtest/gtest.h>

#include "contract/database_fixture.h"
#include "storage/migrations.h"
#include "support/temporary_directory.h"

namespace strongroom::storage {
namespace {

constexpr std::string_view kFirst[] = {kCreateCards};
constexpr std::string_view kSecond[] = {
    "ALTER TABLE card ADD COLUMN seen_at bigint",
    "CREATE TABLE use_of_card(card_id bytea NOT NULL REFERENCES card(card_id), at bigint)"};
constexpr Migration kOne[] = {{1, kFirst}};
constexpr Migration kTwo[] = {{1, kFirst}, {2, kSecond}};
constexpr Migration kOther[] = {{1, {}}, {2, {}}};

using Bytes = std::vector<std::byte>;

Source source_from(const Bytes& bytes, std::size_t& taken) {
  return [&bytes, &taken](std::span<std::byte> out) -> Result<std::size_t> {
    const std::size_t size = std::min(out.size(), bytes.size() - taken);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(taken), size, out.begin());
    taken += size;
    return size;
  };
}

class DumpTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(migrate_at(options_.url, kTwo));
  }
  // `count` cards, with a NULL and empty text among them, and a use of each.
  void fill(std::uint64_t count) {
    std::vector<Row> rows;
    for (std::uint64_t i = 0; i < count; ++i) {
      Row row = card(i, i);
      if (i % 3 == 1) row[1] = Value::null();
      if (i % 3 == 2) row[2] = Value::text("");
      row[3] = Value::integer(-static_cast<std::int64_t>(i));
      rows.push_back(std::move(row));
    }
    ASSERT_TRUE(run(write_rows(*database_, kInsertCards, std::move(rows))));
    ASSERT_TRUE(write("INSERT INTO use_of_card(card_id, at) SELECT card_id, uses FROM card"));
  }
  Bytes dump() {
    Bytes bytes;
    const auto report = dump_at(options_.url, kTwo, [&](std::span<const std::byte> piece) {
      append_bytes(bytes, piece);
      return Result<void>{};
    });
    EXPECT_TRUE(report);
    return bytes;
  }
  // A database of the other kind, or of this one.
  std::string fresh_url(bool of_this_kind) {
    if (is_sqlite() == of_this_kind || postgres_server() == nullptr) {
      return "sqlite:" + loaded_.string();
    }
    return postgres_schema_url(false);
  }
  Result<DumpReport> load(const Bytes& bytes, const std::string& url,
                          std::span<const Migration> migrations = kTwo) {
    taken_ = 0;
    return load_at(url, migrations, source_from(bytes, taken_));
  }
  // The one integer that `sql` gives there.
  std::int64_t number_at(const std::string& url, std::string_view sql) {
    const auto database = open(loop_, {.url = url});
    const auto rows = run((*database)->read({sql}));
    run((*database)->close());
    return rows && !rows->empty() ? (*rows)[0][0].integer().value_or(-1) : -1;
  }

  const test::TemporaryDirectory own_;
  const std::filesystem::path loaded_ = own_.path() / "loaded.db";
  std::size_t taken_ = 0;
};

TEST_P(DumpTest, EveryRowComesBackInEitherKindOfDatabase) {
  fill(5'000);
  const Bytes bytes = dump();
  for (const bool same_kind : {true, false}) {
    const std::string url = fresh_url(same_kind);
    const auto report = load(bytes, url);
    ASSERT_TRUE(report) << report.error().what();
    EXPECT_EQ(report->rows, 10'000U);
    EXPECT_EQ(taken_, bytes.size());
    // What it dumps again is the same, byte by byte.
    Bytes again;
    ASSERT_TRUE(dump_at(url, kTwo, [&](std::span<const std::byte> piece) {
      append_bytes(again, piece);
      return Result<void>{};
    }));
    EXPECT_TRUE(again == bytes);
    EXPECT_EQ(number_at(url, "SELECT CAST(SUM(at) AS bigint) FROM use_of_card"),
              -5'000 * 4'999 / 2);
    EXPECT_EQ(number_at(url, "SELECT COUNT(*) FROM card WHERE fingerprint IS NULL"), 1667);
    EXPECT_EQ(number_at(url, "SELECT COUNT(*) FROM card WHERE note = ''"), 1666);
  }
}

// The first table alone is more than the dump gives at a time, so the writes come before the second
// is read.
TEST_P(DumpTest, ADumpShowsOneMomentWhileOthersWrite) {
  fill(5'000);
  Bytes bytes;
  std::size_t pieces = 0;
  ASSERT_TRUE(dump_at(options_.url, kTwo, [&](std::span<const std::byte> piece) -> Result<void> {
    append_bytes(bytes, piece);
    if (pieces++ == 0) {  // while the dump has its snapshot
      EXPECT_FALSE(as_text(bytes).contains("use_of_card"));
      EXPECT_TRUE(write("DELETE FROM use_of_card"));
      EXPECT_TRUE(write("DELETE FROM card"));
    }
    return {};
  }));
  EXPECT_GT(pieces, 1U);
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 0);
  const std::string url = fresh_url(true);
  ASSERT_TRUE(load(bytes, url));
  EXPECT_EQ(number_at(url, "SELECT COUNT(*) FROM card"), 5'000);
  EXPECT_EQ(number_at(url, "SELECT COUNT(*) FROM use_of_card"), 5'000);
}

TEST_P(DumpTest, AnOlderSchemaIsBroughtForwardAndANewerOneRefused) {
  const std::string old_url = fresh_url(true);
  ASSERT_TRUE(migrate_at(old_url, kOne));
  Bytes old_dump;
  ASSERT_TRUE(dump_at(old_url, kOne, [&](std::span<const std::byte> piece) {
    append_bytes(old_dump, piece);
    return Result<void>{};
  }));
  const std::string url = fresh_url(false);
  const auto refused = load(dump(), url, kOne);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "dump's schema is newer than this program");
  const auto report = load(old_dump, url);
  ASSERT_TRUE(report) << report.error().what();
  EXPECT_EQ(report->schema_version, 1);
  EXPECT_EQ(number_at(url, "SELECT MAX(version) FROM schema_version"), 2);
}

TEST_P(DumpTest, ADatabaseThatIsNotEmptyIsRefused) {
  const Bytes bytes = dump();
  const auto refused = load(bytes, options_.url);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "database is not empty");
}

// Wherever it is cut, nothing is left behind, and the whole one is taken afterwards.
TEST_P(DumpTest, ACutDumpLeavesTheDatabaseEmpty) {
  fill(40);
  const Bytes bytes = dump();
  const std::string url = fresh_url(true);
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto refused = load(cut, url);
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().code(), ErrorCode::corrupt) << size;
  }
  EXPECT_TRUE(load(bytes, url));
}

TEST_P(DumpTest, OtherTablesThanTheSchemasAreRefused) {
  fill(3);
  const auto refused = load(dump(), fresh_url(true), std::span(kOther));
  ASSERT_FALSE(refused);
}

TEST_P(DumpTest, WhatComesLastIsOfTheSameTransaction) {
  fill(3);
  const Bytes bytes = dump();
  const std::string url = fresh_url(true);
  taken_ = 0;
  const auto refused = load_at(url, kTwo, source_from(bytes, taken_), [] {
    return Result<std::vector<Statement>>(fail({ErrorCode::exhausted, "not told"}));
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "not told");
  taken_ = 0;
  ASSERT_TRUE(
      load_at(url, kTwo, source_from(bytes, taken_), []() -> Result<std::vector<Statement>> {
        std::vector<Statement> last;
        last.push_back({"UPDATE card SET uses = $1", {Value::integer(7)}});
        return last;
      }));
  EXPECT_EQ(number_at(url, "SELECT MIN(uses) FROM card"), 7);
}

TEST_P(DumpTest, AnAbsentSqliteFileIsNotMade) {
  if (!is_sqlite()) GTEST_SKIP();
  const auto absent = folder_ / "absent.db";
  const auto refused = dump_at("sqlite:" + absent.string(), kTwo,
                               [](std::span<const std::byte>) { return Result<void>{}; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(absent));
}

INSTANTIATE_TEST_SUITE_P(EachDatabase, DumpTest, ::testing::Values("sqlite", "unix"));

}  // namespace
}  // namespace strongroom::storage

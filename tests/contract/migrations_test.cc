// Migrations, on each kind of database.
#include "storage/migrations.h"

#include <gtest/gtest.h>

#include "contract/database_fixture.h"

namespace strongroom::storage {
namespace {

class FixedClock final : public Clock {
 public:
  std::int64_t now_us() const override { return 1'700'000'000'000'000; }
};

constexpr std::string_view kFirst[] = {kCreateCards};
constexpr std::string_view kSecond[] = {"ALTER TABLE card ADD COLUMN seen_at bigint",
                                        "CREATE INDEX card_by_use ON card(uses)"};
constexpr std::string_view kBroken[] = {"CREATE TABLE other(id bytea)", "CREATE NONSENSE"};
constexpr Migration kOne[] = {{1, kFirst}};
constexpr Migration kTwo[] = {{1, kFirst}, {2, kSecond}};
constexpr Migration kFailing[] = {{1, kFirst}, {2, kBroken}};
constexpr Migration kWithGap[] = {{1, kFirst}, {3, kSecond}};

constexpr Error kNotNow{ErrorCode::exhausted, "no room for the note"};

class MigrationsTest : public DatabaseTest {
 protected:
  Result<void> apply(std::span<const Migration> migrations) {
    return run(migrate(*database_, migrations, clock_));
  }
  Result<void> check(std::span<const Migration> migrations) {
    return run(check_schema(*database_, migrations));
  }
  FixedClock clock_;
};

TEST_P(MigrationsTest, MigrateGoesForwardAndCheckAccepts) {
  ASSERT_TRUE(apply(kOne));
  EXPECT_TRUE(check(kOne));
  ASSERT_TRUE(apply(kTwo));
  EXPECT_TRUE(check(kTwo));
  ASSERT_TRUE(apply(kTwo));  // nothing to do
  EXPECT_EQ(number("SELECT COUNT(*) FROM schema_version"), 2);
  EXPECT_EQ(number("SELECT MAX(applied_at) FROM schema_version"), clock_.now_us());
  EXPECT_EQ(number("SELECT COUNT(seen_at) FROM card"), 0);
}

TEST_P(MigrationsTest, WhatStandsAroundAMigrationIsAskedForEachThatIsMissing) {
  ASSERT_TRUE(apply(kOne));
  std::vector<std::int64_t> told;
  const auto refused = migrate_at(
      options_.url, kTwo, [](std::int64_t, const auto&) { return Result<void>(fail(kNotNow)); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), kNotNow.what());
  EXPECT_FALSE(check(kTwo)) << "what was not noted was not applied";
  const AroundMigration note = [&told](std::int64_t version, const auto& apply) {
    told.push_back(version);
    return apply();
  };
  ASSERT_TRUE(migrate_at(options_.url, kTwo, note));
  EXPECT_TRUE(check(kTwo));
  ASSERT_TRUE(migrate_at(options_.url, kTwo, note));
  EXPECT_EQ(told, std::vector<std::int64_t>{2});
  const auto failed = migrate_at(options_.url, kOne, note);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::conflict);
}

TEST_P(MigrationsTest, CheckRefusesAnOlderOrEmptyDatabase) {
  for (const bool empty : {true, false}) {
    if (!empty) {
      ASSERT_TRUE(apply(kOne));
    }
    const auto refused = check(kTwo);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
    EXPECT_EQ(refused.error().detail(), 0U);
  }
}

TEST_P(MigrationsTest, NewerDatabaseIsRefused) {
  ASSERT_TRUE(apply(kTwo));
  for (const auto& refused : {check(kOne), apply(kOne)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
    EXPECT_EQ(refused.error().detail(), 1U);
  }
}

TEST_P(MigrationsTest, AMigrationMayTakeLongerThanAStatement) {
  if (is_sqlite()) GTEST_SKIP() << "it cannot be told to wait";
  static constexpr std::string_view kSlow[] = {"SELECT CAST(pg_sleep(5.2) AS text)"};
  static constexpr Migration kWaiting[] = {{1, kSlow}};
  EXPECT_TRUE(migrate_at(options_.url, kWaiting));
}

TEST_P(MigrationsTest, FailedMigrationLeavesNoTrace) {
  const auto refused = apply(kFailing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(check(kOne));
  EXPECT_EQ(number("SELECT COUNT(*) FROM other"), -1);
  EXPECT_TRUE(apply(kTwo));
}

TEST_P(MigrationsTest, VersionsMustCountUp) {
  EXPECT_EQ(apply(kWithGap).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(check(kWithGap).error().code(), ErrorCode::invalid_argument);
}

TEST_P(MigrationsTest, OneOfTwoRunsAtOnceApplies) {
  ASSERT_TRUE(apply({}));
  int applied = 0;
  run_together(2, [&](std::size_t) -> async::Task<void> {
    const auto outcome = co_await migrate(*database_, kTwo, clock_);
    if (outcome) ++applied;
    EXPECT_TRUE(outcome || outcome.error().code() == ErrorCode::conflict);
  });
  EXPECT_GE(applied, 1);
  EXPECT_TRUE(check(kTwo));
}

TEST_P(MigrationsTest, CheckSaysWhenTheVersionIsDamaged) {
  ASSERT_TRUE(apply({}));
  ASSERT_TRUE(write("INSERT INTO schema_version(version, applied_at) VALUES(-3, 0)"));
  EXPECT_EQ(check(kOne).error().code(), ErrorCode::corrupt);
}

INSTANTIATE_TEST_SUITE_P(EachKind, MigrationsTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace strongroom::storage

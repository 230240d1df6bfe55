// The contract of Database, the same for SQLite and PostgreSQL.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "contract/database_fixture.h"
#include "crypto/aead.h"

namespace strongroom::storage {
namespace {

class DatabaseContractTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (!database_) return;
    const auto created = write(kCreateCards);
    ASSERT_TRUE(created.has_value()) << created.error().what();
  }
  Result<Rows> insert(std::vector<Row> rows) {
    return run(write_rows(*database_, kInsertCards, std::move(rows)));
  }
  std::int64_t cards() { return number("SELECT COUNT(*) FROM card"); }
};

constexpr std::string_view kInsertCard =
    "INSERT INTO card(card_id, fingerprint, note, uses) VALUES($1, $2, $3, $4)";

ErrorCode code_of(const auto& result) {
  return result ? ErrorCode::not_found : result.error().code();  // none of Database's: no error
}

TEST_P(DatabaseContractTest, ValuesComeBackAsTheyWere) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  const auto zeros = digest_of(0);
  ASSERT_TRUE(write(kInsertCard, {Value::id(card_id(7)), Value::digest(zeros), Value::text(""),
                                  Value::integer(kLeast)}));
  ASSERT_TRUE(write(kInsertCard,
                    {Value::id(card_id(8)), Value::null(), Value::null(), Value::integer(-1)}));
  const auto rows =
      read("SELECT card_id, fingerprint, note, uses FROM card WHERE uses < $1 ORDER BY card_id",
           {Value::integer(0)});
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 2U);
  const Row& first = rows->at(0);
  EXPECT_EQ(first[0].id<CardIdTag>(), card_id(7));
  EXPECT_EQ(first[1].digest<32>(), zeros);
  EXPECT_EQ(first[2].text(), std::string_view(""));
  EXPECT_EQ(first[3].integer(), kLeast);
  EXPECT_TRUE(rows->at(1)[1].is_null());
  EXPECT_TRUE(rows->at(1)[2].is_null());
  EXPECT_EQ(rows->at(1)[3].integer(), -1);
}

TEST_P(DatabaseContractTest, LongTextAndSealedBlobsComeBackAsTheyWere) {
  const std::string text(300'000, 'x');
  std::vector<std::byte> ciphertext(200'000);
  for (std::size_t i = 0; i < ciphertext.size(); ++i) ciphertext[i] = static_cast<std::byte>(i);
  const std::array<std::byte, 12> nonce{};
  const auto sealed = crypto::Sealed::from_parts(3, nonce, ciphertext);
  ASSERT_TRUE(sealed.has_value());
  for (std::int64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(write(kInsertCard, {Value::id(card_id(static_cast<std::uint64_t>(i))),
                                    i == 0 ? Value::sealed(*sealed) : Value::null(),
                                    Value::text(text), Value::integer(i)}));
  }
  const auto rows = read("SELECT fingerprint, note FROM card ORDER BY uses");
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 4U);
  EXPECT_EQ(rows->at(0)[0].sealed(), *sealed);
  for (const Row& row : *rows) EXPECT_EQ(row[1].text(), text);
}

TEST_P(DatabaseContractTest, ParameterMayBeNullFirstAndSomethingLater) {
  ASSERT_TRUE(insert({card(1, 1)}));
  ASSERT_TRUE(
      write("UPDATE card SET note = $1, uses = uses + $2", {Value::null(), Value::integer(1)}));
  ASSERT_TRUE(write("UPDATE card SET note = $1, uses = uses + $2",
                    {Value::text("back"), Value::integer(1)}));
  EXPECT_EQ(number("SELECT uses FROM card WHERE note = 'back'"), 2);
}

TEST_P(DatabaseContractTest, ReadRefusesToChangeAnything) {
  EXPECT_EQ(code_of(read("INSERT INTO card(card_id, uses) VALUES($1, 1)", {Value::id(card_id(1))})),
            ErrorCode::invalid_argument);
  EXPECT_EQ(cards(), 0);
}

TEST_P(DatabaseContractTest, ReadSeesWhatWasWritten) {
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(insert({card(i, i)}));
    ASSERT_EQ(cards(), static_cast<std::int64_t>(i));
  }
}

TEST_P(DatabaseContractTest, WriteGivesTheRowsOfEachStatement) {
  std::vector<Statement> statements;
  statements.push_back(
      {kInsertCard, {Value::id(card_id(1)), Value::null(), Value::null(), Value::integer(5)}});
  statements.push_back({"UPDATE card SET uses = uses + 1 RETURNING uses"});
  statements.push_back({"SELECT COUNT(*), CAST(SUM(uses) AS bigint) FROM card"});
  const auto rows = write_all(std::move(statements));
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 3U);
  EXPECT_TRUE(rows->at(0).empty());
  EXPECT_EQ(rows->at(1).at(0).at(0).integer(), 6);
  EXPECT_EQ(rows->at(2).at(0).at(1).integer(), 6);
  EXPECT_TRUE(write_all({})->empty());
}

TEST_P(DatabaseContractTest, WriteRollsBackWhenAStatementFails) {
  ASSERT_TRUE(insert({card(1, 1)}));
  std::vector<Statement> statements;
  statements.push_back({"UPDATE card SET uses = 9"});
  statements.push_back(
      {kInsertCard, {Value::id(card_id(1)), Value::null(), Value::null(), Value::integer(5)}});
  const auto refused = write_all(std::move(statements));
  ASSERT_EQ(code_of(refused), ErrorCode::conflict);
  EXPECT_EQ(refused.error().detail(), 1U);
  EXPECT_EQ(number("SELECT uses FROM card"), 0);
}

TEST_P(DatabaseContractTest, WriteRollsBackOnAnUnexpectedCount) {
  ASSERT_TRUE(insert({card(1, 1), card(2, 2)}));
  const auto transaction = [](std::uint64_t expected) {
    std::vector<Statement> statements;
    statements.push_back({"UPDATE card SET uses = 9", {}, 2});
    statements.push_back(
        {"DELETE FROM card WHERE uses = 9 AND card_id = $1", {Value::id(card_id(1))}, expected});
    statements.push_back({"SELECT card_id FROM card", {}, 1});
    return statements;
  };
  const auto refused = write_all(transaction(2));
  ASSERT_EQ(code_of(refused), ErrorCode::conflict);
  EXPECT_EQ(refused.error().detail(), 1U);
  EXPECT_EQ(number("SELECT MAX(uses) FROM card"), 0);
  EXPECT_TRUE(write_all(transaction(1)));
  EXPECT_EQ(cards(), 1);
}

TEST_P(DatabaseContractTest, WriteWithExpectationRollsBackWhenAStatementFails) {
  std::vector<Statement> statements;
  statements.push_back(
      {kInsertCard, {Value::id(card_id(1)), Value::null(), Value::null(), Value::integer(5)}, 1});
  statements.push_back({"SELECT nothing FROM nowhere", {}, 1});
  const auto refused = write_all(std::move(statements));
  ASSERT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().detail(), 1U);
  EXPECT_EQ(cards(), 0);
  EXPECT_TRUE(insert({card(1, 1)}));
}

TEST_P(DatabaseContractTest, RefusedSqlIsInvalidArgument) {
  EXPECT_EQ(code_of(read("SELEKT 1")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(read("SELECT 1; SELECT 2")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(read("SELECT uses FROM card WHERE uses = $1")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(write("UPDATE card SET note = $1", {Value::text(std::string_view("a\0b", 3))})),
            ErrorCode::invalid_argument);
  EXPECT_EQ(number("SELECT COUNT(*) FROM card"), 0);
}

TEST_P(DatabaseContractTest, ManyRowsGoInButForConflictingOnes) {
  ASSERT_TRUE(insert({card(1, 1)}));
  std::vector<Row> rows;
  for (std::uint64_t i = 1; i <= 64; ++i) rows.push_back(card(100 + i, i));
  const auto inserted = insert(std::move(rows));
  ASSERT_TRUE(inserted.has_value());
  EXPECT_EQ(inserted->size(), 63U);
  EXPECT_FALSE(std::ranges::any_of(
      *inserted, [](const Row& row) { return row.at(0).id<CardIdTag>().value() == card_id(101); }));
  EXPECT_EQ(cards(), 64);
}

TEST_P(DatabaseContractTest, ManyRowsMayHoldNullsOrBeNone) {
  EXPECT_EQ(insert({})->size(), 0U);
  const auto row = [](std::uint64_t id) {
    return Row{Value::id(card_id(id)), Value::null(), Value::null(), Value::integer(-5)};
  };
  EXPECT_EQ(insert({row(1), row(2)})->size(), 2U);  // NULLs do not conflict
  EXPECT_EQ(number("SELECT COUNT(*) FROM card WHERE fingerprint IS NULL"), 2);
}

TEST_P(DatabaseContractTest, ManyRowsAreOneStatement) {
  std::vector<Row> rows{card(1, 1), card(2, 2)};
  rows.back()[3] = Value::null();  // NOT NULL
  EXPECT_EQ(code_of(insert(std::move(rows))), ErrorCode::conflict);
  EXPECT_EQ(cards(), 0);
  EXPECT_EQ(code_of(insert({{Value::id(card_id(1))}})), ErrorCode::invalid_argument);
  EXPECT_EQ(insert({card(1, 1)})->size(), 1U);
}

constexpr Column kNewUses[] = {{"id", ColumnType::bytes}, {"new_uses", ColumnType::integer}};
constexpr ManySql kSetUses{
    "UPDATE card SET uses = given.new_uses FROM {given} WHERE card_id = given.id"
    " AND note IS NOT NULL RETURNING card_id",
    kNewUses};
constexpr ManySql kReadUses{
    "SELECT card_id, uses FROM card JOIN {given} ON card_id = given.id"
    " AND uses >= given.new_uses",
    kNewUses};

std::vector<Row> uses_of(std::initializer_list<std::uint64_t> ids) {
  std::vector<Row> rows;
  for (const std::uint64_t id : ids) {
    rows.push_back({Value::id(card_id(id)), Value::integer(static_cast<std::int64_t>(10 * id))});
  }
  return rows;
}

TEST_P(DatabaseContractTest, ManyRowsAreChangedReadAndDeleted) {
  ASSERT_TRUE(insert({card(1, 1), card(2, 2), card(3, 3)}));
  ASSERT_TRUE(write("UPDATE card SET note = NULL WHERE card_id = $1", {Value::id(card_id(2))}));
  EXPECT_EQ(run(write_rows(*database_, kSetUses, uses_of({1, 2, 3, 4})))->size(), 2U);
  EXPECT_EQ(number("SELECT CAST(SUM(uses) AS bigint) FROM card"), 40);

  const auto found = run(database_->read_many({kReadUses, uses_of({4, 3, 2})}));
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0)[0].id<CardIdTag>().value(), card_id(3));
  EXPECT_EQ(found->at(0)[1].integer(), 30);
  EXPECT_EQ(run(database_->read_many({kReadUses, {}}))->size(), 0U);

  constexpr ManySql kDrop{
      "DELETE FROM card WHERE card_id IN (SELECT given.id FROM {given}) RETURNING card_id",
      kNewUses};
  EXPECT_EQ(run(write_rows(*database_, kDrop, uses_of({2, 3, 7})))->size(), 2U);
  EXPECT_EQ(cards(), 1);
}

TEST_P(DatabaseContractTest, StatementsOfManyRowsAreOneTransaction) {
  const auto both = [&](std::vector<Row> cards, std::vector<Row> uses) {
    std::vector<ManyStatement> statements;
    statements.push_back({kInsertCards, std::move(cards)});
    statements.push_back({kReadUses, {}});
    statements.push_back({kSetUses, std::move(uses)});
    return run(database_->write_many(std::move(statements)));
  };
  const auto written = both({card(1, 1), card(2, 2)}, uses_of({2}));
  ASSERT_TRUE(written.has_value());
  ASSERT_EQ(written->size(), 3U);
  EXPECT_EQ(written->at(0).size(), 2U);
  EXPECT_EQ(written->at(1).size(), 0U);
  EXPECT_EQ(written->at(2).size(), 1U);  // sees what the first one did
  std::vector<Row> refused = uses_of({1});
  refused.front()[1] = Value::null();  // NOT NULL
  EXPECT_EQ(code_of(both({card(3, 3)}, std::move(refused))), ErrorCode::conflict);
  EXPECT_EQ(cards(), 2);
}

// A statement that takes its time stands between the lock and the end of its transaction.
TEST_P(DatabaseContractTest, LockedRowsAreNotChangedBeforeTheTransactionEnds) {
  static constexpr ManySql kLock{
      .sql = "SELECT uses, card_id FROM {given} JOIN card ON card_id = given.id",
      .given = kNewUses,
      .locks = true};
  static constexpr ManySql kLook{"SELECT uses FROM {given} JOIN card ON card_id = given.id",
                                 kNewUses};
  static constexpr ManySql kSlow{
      "SELECT count(*) FROM {given} JOIN (WITH RECURSIVE n(i) AS"
      " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n) AS counted"
      " ON i > given.new_uses",
      kNewUses};
  ASSERT_TRUE(insert({card(1, 1), card(2, 2)}));
  const std::vector<Row> one = uses_of({1}), some = uses_of({1, 3});
  run_together(2, [&](std::size_t i) -> async::Task<void> {
    if (i == 0) {
      std::vector<ManyStatement> statements{};
      statements.push_back({kLock, some});
      statements.push_back({kSlow, one});
      statements.push_back({kLook, one});
      const auto seen = co_await database_->write_many(std::move(statements));
      SR_CHECK(seen && seen->at(0).size() == 1 && seen->at(2).size() == 1);
      EXPECT_EQ(*seen->at(2)[0][0].integer(), *seen->at(0)[0][0].integer());
    } else {
      co_await loop_.sleep_for(std::chrono::milliseconds(50));
      EXPECT_TRUE(co_await write_rows(*database_, kSetUses, one));
    }
  });
  EXPECT_EQ(number("SELECT uses FROM card ORDER BY card_id LIMIT 1"), 10);
}

TEST_P(DatabaseContractTest, ManyRowsCannotBeChangedByReading) {
  ASSERT_TRUE(insert({card(1, 1)}));
  EXPECT_EQ(code_of(run(database_->read_many({kSetUses, uses_of({1})}))),
            ErrorCode::invalid_argument);
}

TEST_P(DatabaseContractTest, EachOfAThousandCallsHasItsOwnFate) {
  int inserted = 0;
  int refused = 0;
  run_together(1000, [&](std::size_t i) -> async::Task<void> {
    const auto id = card_id(i % 10 == 0 ? 0 : i);  // every tenth takes the same id
    std::vector<Statement> statements{};
    statements.push_back(
        {kInsertCard, {Value::id(id), Value::null(), Value::null(), Value::integer(1)}});
    const auto written = co_await database_->write(std::move(statements));
    ++(written ? inserted : refused);
    EXPECT_TRUE(written || written.error().code() == ErrorCode::conflict);
  });
  EXPECT_EQ(inserted, 901);
  EXPECT_EQ(refused, 99);
  EXPECT_EQ(cards(), 901);
}

TEST_P(DatabaseContractTest, CallsBeyondTheQueueAreRefused) {
  close_database();
  options_.requests_max = 8;
  open_database();
  int exhausted = 0;
  run_together(20, [&](std::size_t) -> async::Task<void> {
    Statement statement{"SELECT COUNT(*) FROM card"};
    const auto rows = co_await database_->read(std::move(statement));
    if (!rows && rows.error().code() == ErrorCode::exhausted) ++exhausted;
  });
  EXPECT_EQ(exhausted, 12);
}

TEST_P(DatabaseContractTest, RowsSurviveReopening) {
  ASSERT_TRUE(insert({card(1, 1)}));
  close_database();
  open_database();
  EXPECT_EQ(cards(), 1);
  ASSERT_TRUE(insert({card(2, 2)}));
  EXPECT_TRUE(database_->ready());
}

TEST_P(DatabaseContractTest, ClosedDatabaseRefusesCalls) {
  run(database_->close());
  EXPECT_EQ(code_of(read("SELECT 1")), ErrorCode::unavailable);
  EXPECT_EQ(code_of(insert({card(1, 1)})), ErrorCode::unavailable);
  database_.reset();
}

TEST_P(DatabaseContractTest, SlowStatementIsStopped) {
  close_database();
  options_.statement_timeout = std::chrono::milliseconds(200);
  open_database();
  constexpr std::string_view kEndless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)"
      " SELECT COUNT(*) FROM n";
  const auto stopped = read(kEndless);
  ASSERT_EQ(code_of(stopped), ErrorCode::unavailable);
  EXPECT_EQ(stopped.error().what(), "statement took too long");
  EXPECT_EQ(cards(), 0);
}

INSTANTIATE_TEST_SUITE_P(EachKind, DatabaseContractTest,
                         ::testing::Values("sqlite", "postgresql", "unix"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace strongroom::storage

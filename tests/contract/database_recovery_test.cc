// What callers see while PostgreSQL is lost or frozen, and that it comes back by itself.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>

#include "contract/database_fixture.h"

namespace strongroom::storage {
namespace {

using std::chrono::milliseconds;

ErrorCode code_of(const auto& result) {
  return result ? ErrorCode::not_found : result.error().code();  // none of Database's: no error
}

class PostgresRecoveryTest : public DatabaseTest {
 protected:
  void SetUp() override {
    options_.statement_timeout = milliseconds(300);
    options_.connect_timeout = milliseconds(700);
    DatabaseTest::SetUp();
    if (!database_) return;
    ASSERT_TRUE(write(kCreateCards));
  }
  void TearDown() override {
    if (auto* server = postgres_server()) server->thaw();
    DatabaseTest::TearDown();
  }
  // Ends the sessions of ours for which `condition` holds.
  static void end_sessions(std::string_view condition) {
    postgres_server()->query(
        "postgres", fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                                " application_name = 'strongroom' AND {}",
                                condition));
  }
  // Waits until the server has `count` sessions of ours for which `condition` holds, and we know it
  // too.
  async::Task<void> sessions(int count, std::string_view condition) {
    const std::string sql = fmt::format(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'strongroom' AND {}",
        condition);
    int attempts = 0;
    while (postgres_server()->query("postgres", sql) != std::to_string(count)) {
      if (++attempts > 500) {
        ADD_FAILURE() << "never " << count << " sessions with " << condition;
        break;
      }
      co_await loop_.sleep_for(milliseconds(20));
    }
    co_await loop_.sleep_for(milliseconds(20));
  }
  // Waits until `holds`, for half a minute at most; gives whether it does.
  bool soon(const std::function<bool()>& holds) {
    for (int i = 0; i < 1500 && !holds(); ++i) run(loop_.sleep_for(milliseconds(20)));
    return holds();
  }
  Result<Rows> insert(std::uint64_t id) {
    return run(write_rows(*database_, kInsertCards, {card(id, id)}));
  }
};

TEST_P(PostgresRecoveryTest, IdleLossIsNoticedAndRepaired) {
  ASSERT_TRUE(insert(1));
  run(loop_.sleep_for(milliseconds(1100)));  // then the connection counts as sound
  const std::string now = postgres_server()->query("postgres", "SELECT clock_timestamp()");
  end_sessions("true");
  run(sessions(0, fmt::format("backend_start < '{}'", now)));
  run(loop_.sleep_for(milliseconds(50)));
  EXPECT_TRUE(insert(2));
  EXPECT_EQ(read_until_ready("SELECT COUNT(*) FROM card")->at(0)[0].integer(), 2);
}

TEST_P(PostgresRecoveryTest, CallUnderWayAtTheLossSaysWhatIsKnown) {
  ASSERT_TRUE(insert(1));
  close_database();
  options_.statement_timeout = milliseconds(20'000);
  open_database();
  auto blocker = open(loop_, options_);
  ASSERT_TRUE(blocker);
  run(sessions(6, "state = 'idle'"));  // else both calls could share a connection
  // Another transaction holds the row, so that both calls are waiting when the connections end.
  Result<std::vector<Rows>> held = fail({ErrorCode::not_found, "not ended"});
  Result<std::vector<Rows>> plain = fail({ErrorCode::not_found, "not ended"});
  run_together(4, [&](std::size_t i) -> async::Task<void> {
    std::vector<Statement> statements{};
    if (i == 0) {
      statements.push_back({"UPDATE card SET uses = 1"});
      statements.push_back({"SELECT CAST(pg_sleep(20) AS text)"});
      static_cast<void>(co_await (*blocker)->write(std::move(statements)));
    } else if (i == 1) {
      co_await sessions(1, "wait_event = 'PgSleep'");
      statements.push_back({"UPDATE card SET uses = 2", {}, 1});
      held = co_await database_->write(std::move(statements));
    } else if (i == 2) {
      co_await sessions(1, "wait_event = 'PgSleep'");
      statements.push_back({"UPDATE card SET uses = 3"});
      plain = co_await database_->write(std::move(statements));
    } else {
      co_await sessions(2, "wait_event_type = 'Lock'");
      end_sessions("wait_event_type = 'Lock'");
      co_await sessions(0, "wait_event_type = 'Lock'");
      end_sessions("true");
    }
  });
  EXPECT_EQ(code_of(held), ErrorCode::unavailable);  // its COMMIT was never sent
  EXPECT_EQ(code_of(plain), ErrorCode::unknown_outcome);
  EXPECT_EQ(read_until_ready("SELECT uses FROM card")->at(0)[0].integer(), 0);
  run((*blocker)->close());
}

// As when the standby that commits wait for is away.
TEST_P(PostgresRecoveryTest, CommitThatWaitsForAStandbyIsOpen) {
  ASSERT_TRUE(insert(1));
  const auto wait_for = [](std::string_view standbys) {
    postgres_server()->query(
        "postgres", fmt::format("ALTER SYSTEM SET synchronous_standby_names = '{}'", standbys));
    postgres_server()->query("postgres", "SELECT pg_reload_conf()");
  };
  wait_for("nobody");
  std::int64_t cards = 1;
  Result<Rows> waits = insert(2);
  while (waits && ++cards < 1000) {  // the server takes the setting up when its checkpointer does
    waits = insert(static_cast<std::uint64_t>(cards) + 1);
  }
  EXPECT_EQ(code_of(waits), ErrorCode::unknown_outcome);
  EXPECT_EQ(read_until_ready("SELECT COUNT(*) FROM card")->at(0)[0].integer(), cards);
  EXPECT_TRUE(*run(database_->has_open_for(milliseconds(500))));
  EXPECT_FALSE(*run(database_->has_open_for(milliseconds(60'000))));
  wait_for("");
  EXPECT_TRUE(soon([&] { return !*run(database_->has_open_for(milliseconds(0))); }));
  EXPECT_EQ(read("SELECT COUNT(*) FROM card")->at(0)[0].integer(), cards + 1);
}

TEST_P(PostgresRecoveryTest, WhatIsOpenInAnotherDatabaseIsNotOurs) {
  const std::string name = fmt::format("other_{}", GetParam());
  postgres_server()->create_database(name);
  Options options = options_;
  options.url = std::string_view(GetParam()) == "unix" ? postgres_server()->unix_url(name)
                                                       : postgres_server()->url(name);
  options.statement_timeout = milliseconds(20'000);
  auto other = open(loop_, options);
  ASSERT_TRUE(other);
  run_together(2, [&](std::size_t i) -> async::Task<void> {
    if (i == 0) {
      std::vector<Statement> statements{};
      statements.push_back({kCreateCards});
      statements.push_back({"SELECT CAST(pg_sleep(20) AS text)"});
      static_cast<void>(co_await (*other)->write(std::move(statements)));
    } else {
      co_await sessions(1, "wait_event = 'PgSleep'");
      EXPECT_TRUE(*co_await (*other)->has_open_for(milliseconds(0)));
      EXPECT_FALSE(*co_await database_->has_open_for(milliseconds(0)));
      end_sessions("wait_event = 'PgSleep'");
    }
  });
  run((*other)->close());
}

// The first server of the URL is silent, as a host that died.
TEST_P(PostgresRecoveryTest, NextServerIsAskedWhereOneIsSilent) {
  if (std::string_view(GetParam()) == "unix") GTEST_SKIP() << "a socket's folder is here or not";
  ASSERT_TRUE(insert(1));
  close_database();
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 16), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string host = "@127.0.0.1:";
  ASSERT_TRUE(options_.url.contains(host)) << options_.url;
  options_.url.replace(options_.url.find(host), host.size(),
                       fmt::format("{}{},127.0.0.1:", host, ::ntohs(address.sin_port)));
  open_database();
  EXPECT_TRUE(insert(2));
  EXPECT_EQ(read("SELECT COUNT(*) FROM card")->at(0)[0].integer(), 2);
  ::close(silent);
}

TEST_P(PostgresRecoveryTest, FrozenServerIsGivenUpAndFoundAgain) {
  ASSERT_TRUE(insert(1));
  ASSERT_TRUE(read("SELECT 1"));
  run(sessions(3, "state = 'idle'"));  // one that is still connecting would be merely unavailable
  postgres_server()->freeze();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(insert(2)), ErrorCode::unknown_outcome);
  EXPECT_EQ(code_of(insert(3)), ErrorCode::unknown_outcome);  // on the other connection
  EXPECT_EQ(code_of(read("SELECT 1")), ErrorCode::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(30'000));
  EXPECT_TRUE(soon([&] { return !database_->ready(); }));
  EXPECT_EQ(code_of(insert(4)), ErrorCode::unavailable);
  postgres_server()->thaw();
  EXPECT_TRUE(read_until_ready("SELECT COUNT(*) FROM card"));
  EXPECT_TRUE(soon([&] { return database_->ready(); }));
  EXPECT_TRUE(insert(5));
}

TEST_P(PostgresRecoveryTest, CommittedRowsSurviveACrash) {
  for (std::uint64_t i = 1; i <= 20; ++i) ASSERT_TRUE(insert(i));
  postgres_server()->crash();
  EXPECT_TRUE(soon([&] { return !database_->ready(); }));
  EXPECT_EQ(code_of(insert(21)), ErrorCode::unavailable);
  postgres_server()->restart();
  const auto rows = read_until_ready("SELECT COUNT(*) FROM card");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(0)[0].integer(), 20);
}

TEST_P(PostgresRecoveryTest, DatabaseMayBeAbsentAtFirst) {
  close_database();
  postgres_server()->crash();
  open_database();
  EXPECT_EQ(code_of(read("SELECT 1")), ErrorCode::unavailable);
  EXPECT_FALSE(database_->ready());
  postgres_server()->restart();
  EXPECT_TRUE(read_until_ready("SELECT COUNT(*) FROM card"));
}

class PostgresTlsTest : public PostgresRecoveryTest {};

TEST_P(PostgresTlsTest, ServerOfAnotherAuthorityIsRefused) {
  const std::string url = options_.url;
  close_database();
  const auto certificate = url.find("sslrootcert=");
  options_.url = url.substr(0, certificate) + "sslrootcert=/etc/ssl/certs/ca-certificates.crt";
  open_database();
  EXPECT_EQ(code_of(read("SELECT 1")), ErrorCode::unavailable);
}

TEST_P(PostgresRecoveryTest, OppositeOrdersEndInConflictNotInAHang) {
  options_.statement_timeout = milliseconds(20'000);
  close_database();
  open_database();
  int inserted = 0;
  run_together(2, [&](std::size_t i) -> async::Task<void> {
    std::vector<Row> rows{};
    for (std::uint64_t n = 0; n < 2000; ++n) rows.push_back(card(i == 0 ? n : 1999 - n, n));
    const auto outcome = co_await write_rows(*database_, kInsertCards, std::move(rows));
    inserted += outcome ? 1 : 0;
    EXPECT_TRUE(outcome || outcome.error().code() == ErrorCode::conflict);
  });
  EXPECT_GE(inserted, 1);
}

INSTANTIATE_TEST_SUITE_P(Tcp, PostgresTlsTest, ::testing::Values("postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

INSTANTIATE_TEST_SUITE_P(EachKind, PostgresRecoveryTest, ::testing::Values("postgresql", "unix"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace strongroom::storage

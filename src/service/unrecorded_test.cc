#include "service/unrecorded.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "base/try.h"
#include "support/temporary_directory.h"

namespace strongroom::service {
namespace {

namespace fs = std::filesystem;
using Make = Unrecorded::Make;
using Names = std::vector<std::string>;

constexpr std::int64_t kNowUs = 1'795'300'000'123'000;
constexpr Error kFailed{ErrorCode::unavailable, "the object could not be made"};
constexpr Error kNobodyKnows{ErrorCode::unknown_outcome, "perhaps it was made"};

class TestClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now; }
  std::int64_t now = kNowUs;
};

class UnrecordedTest : public ::testing::Test {
 protected:
  // As the next process finds it.
  Unrecorded unread() {
    return {
        {.directory = folder_.path().string(), .instance = "vaultd", .operation = "vaultd --init"},
        random_,
        clock_};
  }
  Unrecorded open() {
    Unrecorded unrecorded = unread();
    SR_CHECK(unrecorded.read().has_value());
    return unrecorded;
  }
  std::string path(std::string_view name) const { return (folder_.path() / name).string(); }
  std::string file() const { return path("data/vaultd/unrecorded"); }
  std::string text() const {
    std::ifstream file(this->file());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(std::string_view text) const {
    fs::create_directories(fs::path(file()).parent_path());
    std::ofstream(file()) << text;
  }
  Result<void> make_key(std::string_view name) {
    std::ofstream(path(name)) << "key";
    return {};
  }
  // What a process that is killed in `make` leaves.
  void be_killed(const std::string& key, const Make& make) {
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(open().making_key(path(key), make));
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  std::vector<audit::Entry> next_entries() { return open().entries(); }
  std::vector<Names> noted() {
    std::vector<Names> names;
    for (const audit::Entry& entry : next_entries()) names.push_back(entry.resources);
    return names;
  }

  test::TemporaryDirectory folder_;
  crypto::SystemRandom random_;
  TestClock clock_;
};

TEST_F(UnrecordedTest, HasNothingWithoutAFile) {
  Unrecorded unrecorded = open();
  EXPECT_TRUE(unrecorded.entries().empty());
  EXPECT_TRUE(unrecorded.hold().has_value());
  EXPECT_TRUE(unrecorded.forget().has_value());
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(UnrecordedTest, NotesWhoMadeWhatAndWhenBeforeItIsMade) {
  ASSERT_TRUE(open().making_key(path("a.sealed"), [&] {
    EXPECT_EQ(noted(), std::vector<Names>{{"a.sealed"}});
    return make_key("a.sealed");
  }));
  const Unrecorded next = open();
  ASSERT_EQ(next.entries().size(), 1U);
  const audit::Entry& entry = next.entries().front();
  EXPECT_EQ(entry.event_type, audit::EventType::key_generate);
  EXPECT_EQ(entry.phase, audit::Phase::single);
  EXPECT_EQ(entry.outcome, audit::Outcome::success);
  EXPECT_EQ(entry.time_us, kNowUs);
  EXPECT_EQ(entry.instance, "vaultd");
  EXPECT_EQ(entry.user, "uid:" + std::to_string(::getuid()));
  EXPECT_EQ(entry.operation, "vaultd --init");
  EXPECT_EQ(entry.resources, Names{"a.sealed"});
  EXPECT_NE(entry.uid, EntryId{});
  EXPECT_EQ(text(), audit::to_json(entry) + "\n");
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(UnrecordedTest, NotesAKeyOutsideOfTheDeploymentByItsWholePath) {
  const std::string outside = (folder_.path().parent_path() / "elsewhere.sealed").string();
  ASSERT_TRUE(open().making_key(outside, [] { return Result<void>{}; }));
  EXPECT_EQ(noted(), std::vector<Names>{{outside}});
}

TEST_F(UnrecordedTest, NotesNoKeyThatIsThere) {
  ASSERT_TRUE(make_key("a.sealed"));
  bool called = false;
  ASSERT_TRUE(open().making_key(path("a.sealed"), [&] {
    called = true;
    return Result<void>{};
  }));
  EXPECT_TRUE(called);
  EXPECT_TRUE(noted().empty());
}

TEST_F(UnrecordedTest, NotesEachVersionOfASchema) {
  Unrecorded unrecorded = open();
  const auto around = unrecorded.migrating("vault");
  for (const std::int64_t version : {1, 2}) {
    ASSERT_TRUE(around(version, [] { return Result<void>{}; }));
  }
  EXPECT_EQ(noted(),
            (std::vector<Names>{{"database vault", "schema 1"}, {"database vault", "schema 2"}}));
  EXPECT_EQ(next_entries().back().event_type, audit::EventType::schema_migrate);
}

TEST_F(UnrecordedTest, TakesBackWhatWasNotMade) {
  Unrecorded unrecorded = open();
  ASSERT_TRUE(unrecorded.making({{.names = {"first"}}}, [] { return Result<void>{}; }));
  const auto failed = unrecorded.making({{.names = {"second"}}, {.names = {"third"}}},
                                        [] { return Result<void>(fail(kFailed)); });
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().what(), kFailed.what());
  EXPECT_EQ(noted(), std::vector<Names>{{"first"}});
}

TEST_F(UnrecordedTest, KeepsWhatWasPerhapsMade) {
  EXPECT_FALSE(open().making({{.names = {"a"}}}, [] { return Result<void>(fail(kNobodyKnows)); }));
  EXPECT_EQ(noted(), std::vector<Names>{{"a"}});
}

TEST_F(UnrecordedTest, MakesNothingThatCannotBeNoted) {
  Unrecorded unrecorded = open();
  std::ofstream(path("data")) << "no folder";
  EXPECT_FALSE(unrecorded.making({{.names = {"a"}}}, []() -> Result<void> { SR_CHECK(false); }));
}

TEST_F(UnrecordedTest, RefusesMoreThanTheFileTakes) {
  const std::string line = audit::to_json([&] {
    Unrecorded unrecorded = open();
    SR_CHECK(unrecorded.making({{.names = {"a"}}}, [] { return Result<void>{}; }));
    return unrecorded.entries().front();
  }());
  std::string many;
  while (many.size() + line.size() + 1 <= kUnrecordedBytesMax) many += line + "\n";
  write(many);
  const auto full = open().making({{.names = {"b"}}}, []() -> Result<void> { SR_CHECK(false); });
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code(), ErrorCode::exhausted);
}

TEST_F(UnrecordedTest, LosesNothingWhenKilledBeforeOrAfterTheMaking) {
  be_killed("a.sealed", [] {
    ::raise(SIGKILL);
    return Result<void>{};
  });
  EXPECT_EQ(noted(), std::vector<Names>{{"a.sealed"}});
  const EntryId first = next_entries().front().uid;
  be_killed("a.sealed", [&] {
    SR_CHECK(make_key("a.sealed"));
    ::raise(SIGKILL);
    return Result<void>{};
  });
  EXPECT_EQ(noted(), std::vector<Names>{{"a.sealed"}});
  const EntryId second = next_entries().front().uid;
  EXPECT_NE(first, second) << "it was made by the second attempt, at that one's time";
  ASSERT_TRUE(open().making_key(path("a.sealed"), [] { return Result<void>{}; }));
  ASSERT_EQ(next_entries().size(), 1U);
  EXPECT_EQ(next_entries().front().uid, second);
}

TEST_F(UnrecordedTest, GivesTheSameEntriesUntilTheyAreForgotten) {
  ASSERT_TRUE(open().making({{.names = {"a"}}}, [] { return Result<void>{}; }));
  const EntryId uid = next_entries().front().uid;
  Unrecorded unrecorded = open();
  ASSERT_TRUE(unrecorded.hold());
  EXPECT_EQ(next_entries().front().uid, uid) << "a start that was killed before forget()";
  ASSERT_TRUE(unrecorded.forget());
  EXPECT_TRUE(unrecorded.entries().empty());
  EXPECT_EQ(text(), "");
  EXPECT_TRUE(noted().empty());
  EXPECT_TRUE(unrecorded.forget().has_value());
}

TEST_F(UnrecordedTest, HasNoEntryFromTheFuture) {
  ASSERT_TRUE(open().making({{.names = {"a"}}}, [] { return Result<void>{}; }));
  clock_.now -= 3'600'000'000;
  EXPECT_EQ(next_entries().front().time_us, clock_.now);
}

TEST_F(UnrecordedTest, RefusesAFileThatHoldsSomethingElse) {
  ASSERT_TRUE(open().making({{.names = {"a"}}}, [] { return Result<void>{}; }));
  write(text() + "{}\n");
  const auto read = unread().read();
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), ErrorCode::corrupt);
  EXPECT_EQ(read.error().detail(), 2U);
}

TEST_F(UnrecordedTest, RefusesToHoldALink) {
  ASSERT_TRUE(open().making({{.names = {"a"}}}, [] { return Result<void>{}; }));
  Unrecorded unrecorded = open();
  fs::rename(file(), path("other"));
  fs::create_symlink(path("other"), file());
  const auto held = unrecorded.hold();
  ASSERT_FALSE(held.has_value());
  EXPECT_EQ(held.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::service

// What a look at the audit folder tells, and that what goes wrong there passes.
#include "connected/relay/log_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/checkpoint_files.h"
#include "support/temporary_directory.h"

namespace strongroom::connected::relay {
namespace {

class LogWatchTest : public ::testing::Test {
 protected:
  void write_record(std::uint64_t size) {
    const std::vector<audit::Checkpoint> signed_last{
        {.origin = "test.example/auditd/mer_1/2026", .size = size, .root = {}},
        {.origin = "test.example/auditd/operator/2026", .size = 3, .root = {}}};
    std::ofstream(path("last-signed")) << audit::last_signed_text(signed_last);
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  test::TemporaryDirectory folder_;
  audit::PosixFiles files_;
  SystemClock clock_;
  Registry metrics_;
};

TEST_F(LogWatchTest, LookNamesLogsAndSizesAndRoom) {
  write_record(7);
  const auto state = look_at(files_, folder_.path().string());
  ASSERT_TRUE(state);
  EXPECT_EQ(state->signed_sizes, (LogSizes{{"mer_1-2026", 7}, {"operator-2026", 3}}));
  EXPECT_NEAR(static_cast<double>(state->signed_at_us), static_cast<double>(clock_.now_us()), 60e6);
  EXPECT_GT(state->bytes_capacity, state->bytes_free);
}

TEST_F(LogWatchTest, LookRefusesADamagedRecord) {
  std::ofstream(path("last-signed")) << "no record";
  EXPECT_EQ(look_at(files_, folder_.path().string()).error().code(), ErrorCode::corrupt);
}

TEST_F(LogWatchTest, WatchLosesAndFindsTheFolder) {
  async::Loop loop;
  async::BlockingPool pool(1, 4);
  Gauge& age = metrics_.gauge("age", "-");
  LogWatch watch(
      {.loop = loop,
       .pool = pool,
       .files = files_,
       .clock = clock_,
       .directory = path("audit"),
       .metrics = {.checkpoint_age_seconds = age, .bytes_free = metrics_.gauge("free", "-")},
       .pause = std::chrono::milliseconds(5)});
  EXPECT_FALSE(watch.readable());
  bool ended = false;
  const auto run = [&]() -> async::Task<void> {
    co_await watch.run();
    ended = true;
  };
  const auto becomes = [&](bool readable) -> async::Task<void> {
    while (watch.readable() != readable) co_await loop.sleep_for(std::chrono::milliseconds(5));
  };
  const auto scenario = [&]() -> async::Task<void> {
    std::filesystem::create_directory(path("audit"));
    std::filesystem::create_directory(path("audit/checkpoints"));
    async::spawn(run());
    co_await becomes(true);
    EXPECT_EQ(watch.state().signed_sizes, LogSizes{});  // a log that has yet to begin
    std::filesystem::rename(path("audit"), path("away"));
    co_await becomes(false);
    std::filesystem::rename(path("away"), path("audit"));
    co_await becomes(true);
    watch.stop();
    while (!ended) co_await loop.sleep_for(std::chrono::milliseconds(5));
  };
  loop.run_until_done(scenario());
  EXPECT_GT(metrics_.gauge("free", "-").value(), 0);
}

}  // namespace
}  // namespace strongroom::connected::relay

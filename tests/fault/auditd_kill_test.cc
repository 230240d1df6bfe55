// kill -9 of auditd in the middle of its work, again and again: every acknowledged entry is in the
// journal exactly once, every outcome arrives, no intent stays open.
#include <sys/wait.h>

#include <csignal>
#include <map>

#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

constexpr int kKills = 6;
constexpr int kWriters = 16;

class KillTest : public AuditdTest {
 protected:
  // auditd in a process of its own, which never returns.
  pid_t fork_auditd() {
    const pid_t pid = ::fork();
    SR_CHECK(pid >= 0);
    if (pid > 0) return pid;
    async::Loop loop;
    Registry metrics;
    auto store = open_store();
    SR_CHECK(store.has_value());
    const auto auditd = Auditd::start(
        loop, *std::move(store), metrics,
        {.socket_path = socket_, .users = {{"vaultd", ::geteuid()}}, .checkpoint_interval = 20ms});
    SR_CHECK(auditd.has_value());
    loop.run();
    ::_exit(1);
  }

  // Acts as a service does: intent, effect, outcome; over and over.
  Task<void> act(audit::Client& client) {
    ++running_;
    while (!stop_) {
      const audit::Entry intent = entry(audit::Phase::intent);
      const Result<void> recorded = co_await client.record(intent);
      if (recorded) {
        must_be_there_.push_back(intent.uid);
        const audit::Entry outcome = outcome_for(intent);
        must_be_there_.push_back(outcome.uid);
        client.send(outcome);
      } else {
        co_await loop_.sleep_for(2ms);
      }
    }
    --running_;
  }

  Task<void> finish(audit::Client& client) {
    stop_ = true;
    while (running_ > 0) co_await loop_.sleep_for(1ms);
    EXPECT_TRUE(co_await client.drain(5s));
  }

  std::vector<EntryId> must_be_there_;
  bool stop_ = false;
  int running_ = 0;
};

TEST_F(KillTest, LosesAndRepeatsNothing) {
  pid_t daemon = fork_auditd();
  auto writer = connected_client();
  for (int i = 0; i < kWriters; ++i) async::spawn(act(*writer));
  for (int i = 0; i < kKills; ++i) {
    loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(30 + 17 * i)));
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    daemon = fork_auditd();
    ASSERT_TRUE(loop_.run_until_done(writer->connected(5s)));
  }
  loop_.run_until_done(finish(*writer));
  EXPECT_TRUE(loop_.run_until_done(writer->open_intents())->empty());
  stop(*writer);
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);

  std::map<EntryId, int> found;
  for (const audit::Entry& entry : journal()) ++found[entry.uid];
  EXPECT_GT(must_be_there_.size(), 100U);
  for (const EntryId& uid : must_be_there_) EXPECT_EQ(found[uid], 1);
  for (const auto& [uid, times] : found) EXPECT_EQ(times, 1);
  const audit::VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
  EXPECT_GT(report.checkpoints, 0U);
}

}  // namespace
}  // namespace strongroom::auditd

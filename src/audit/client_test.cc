// Client against a stand-in of auditd that misbehaves on purpose: silence, lost answers, refusals.
#include "audit/client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "async/local_socket.h"
#include "audit/protocol.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/random.h"

namespace strongroom::audit {
namespace {

using async::Task;
using namespace std::chrono_literals;

// What the stand-in does with the appends of one connection.
enum class Habit {
  acknowledge,
  refuse_all,
  journal_full,
  disk_failed,
  keep_silent,
  hang_up,
  wrong_count,
  garbage
};

// Accepts one connection after the other; each follows the next habit, the last one repeats.
class StandIn {
 public:
  StandIn(async::Loop& loop, const std::string& path, std::vector<Habit> habits)
      : loop_(loop), habits_(std::move(habits)) {
    auto listener = async::LocalListener::listen(loop, path);
    SR_CHECK(listener.has_value());
    listener_ = *std::move(listener);
    async::spawn(serve());
  }
  Task<void> close() {
    listener_->close();
    if (socket_) socket_->close();
    while (!ended_) co_await loop_.sleep_for(1ms);
  }
  // Every entry that came, also those that were not acknowledged.
  std::vector<Entry> entries;
  std::size_t messages = 0;

 private:
  Task<void> serve() {
    for (std::size_t connection = 0;; ++connection) {
      auto accepted = co_await listener_->accept();
      if (!accepted) break;
      socket_ = *std::move(accepted);
      const auto hello = co_await socket_->read(1s);
      if (!hello) continue;
      co_await write(welcome_message(Welcome::accepted, true));
      co_await answer(habits_[std::min(connection, habits_.size() - 1)]);
      socket_->close();
    }
    ended_ = true;
  }

  Task<void> answer(Habit habit) {
    while (true) {
      const auto message = co_await socket_->read();
      if (!message) break;
      ++messages;
      const auto views = parse_append(*message);
      SR_CHECK(views.has_value());
      for (const std::string_view json : *views) entries.push_back(*parse_entry(json));
      if (habit == Habit::hang_up) break;
      if (habit != Habit::keep_silent) co_await write(reply(habit, views->size()));
    }
  }

  static Message reply(Habit habit, std::size_t count) {
    std::vector<EntryStatus> statuses(count, EntryStatus::durable);
    if (habit == Habit::refuse_all) statuses.assign(count, EntryStatus::refused);
    if (habit == Habit::journal_full) statuses.assign(count, EntryStatus::unavailable);
    if (habit == Habit::disk_failed) statuses.assign(count, EntryStatus::uncertain);
    if (habit == Habit::wrong_count) statuses.push_back(EntryStatus::durable);
    if (habit == Habit::garbage) return {std::byte{0x77}};
    return acknowledgement_message(statuses);
  }

  Task<void> write(Message message) {
    const std::array<async::Frame, 1> frames{message};
    const Result<void> written = co_await socket_->write(frames);
    static_cast<void>(written);
  }

  async::Loop& loop_;
  std::vector<Habit> habits_;
  std::unique_ptr<async::LocalListener> listener_;
  std::unique_ptr<async::LocalSocket> socket_;
  bool ended_ = false;
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() : folder_(testing::TempDir() + "sr_client_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    path_ = folder_ + "/s";
  }
  ~ClientTest() override {
    if (client_) loop_.run_until_done(client_->close());
    if (daemon_) loop_.run_until_done(daemon_->close());
    std::filesystem::remove_all(folder_);
  }

  void start(std::vector<Habit> habits) {
    daemon_ = std::make_unique<StandIn>(loop_, path_, std::move(habits));
    client_ = std::make_unique<Client>(loop_, clock_,
                                       ClientOptions{.socket_path = path_,
                                                     .instance = "vaultd",
                                                     .answer_timeout = 50ms,
                                                     .repeat_for = 200ms,
                                                     .reconnect_first = 5ms,
                                                     .reconnect_max = 20ms});
    SR_CHECK(loop_.run_until_done(client_->connected(1s)));
  }

  Entry intent() {
    return {.uid = crypto::new_entry_id(random_, clock_),
            .operation_id = crypto::new_operation_id(random_, clock_),
            .event_type = EventType::token_create,
            .phase = Phase::intent,
            .time_us = clock_.now_us()};
  }

  Result<void> record(const Entry& entry) { return loop_.run_until_done(client_->record(entry)); }

  async::Loop loop_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  std::string folder_, path_;
  std::unique_ptr<StandIn> daemon_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, RepeatsARecordOverALostConnection) {
  start({Habit::hang_up, Habit::acknowledge});
  const Entry entry = intent();
  EXPECT_TRUE(record(entry));
  EXPECT_EQ(daemon_->entries.size(), 2U);
  EXPECT_EQ(daemon_->entries[0].uid, entry.uid);
  EXPECT_EQ(daemon_->entries[1].uid, entry.uid);
}

TEST_F(ClientTest, ClosesAnIntentThatMayHaveArrivedAndWasGivenUp) {
  start({Habit::keep_silent, Habit::keep_silent, Habit::keep_silent, Habit::keep_silent,
         Habit::keep_silent, Habit::acknowledge});
  const Entry entry = intent();
  EXPECT_EQ(record(entry).error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(loop_.run_until_done(client_->drain(5s)));
  const Entry& last = daemon_->entries.back();
  EXPECT_EQ(last.operation_id, entry.operation_id);
  EXPECT_EQ(last.outcome, Outcome::not_done);
  EXPECT_NE(last.uid, entry.uid);
}

TEST_F(ClientTest, AWrongAnswerCountsAsALostConnection) {
  for (const Habit habit : {Habit::wrong_count, Habit::garbage}) {
    start({habit, Habit::acknowledge});
    EXPECT_TRUE(record(intent()));
    loop_.run_until_done(client_->close());
    loop_.run_until_done(daemon_->close());
  }
}

TEST_F(ClientTest, AFullJournalFailsTheRecordAtOnceAndKeepsOutcomes) {
  start({Habit::journal_full});
  EXPECT_EQ(record(intent()).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(daemon_->entries.size(), 1U);  // not in the journal, so nothing to close
  client_->send(outcome_of(intent(), Outcome::done, crypto::new_entry_id(random_, clock_), 1));
  EXPECT_EQ(client_->outcomes_waiting(), 1U);
  loop_.run_until_done(loop_.sleep_for(30ms));
  EXPECT_EQ(client_->outcomes_waiting(), 1U);
}

TEST_F(ClientTest, ClosesAnIntentOfWhichTheDiskGaveNoWord) {
  start({Habit::disk_failed});
  const Entry entry = intent();
  EXPECT_EQ(record(entry).error().code(), ErrorCode::unavailable);
  EXPECT_FALSE(loop_.run_until_done(client_->drain(30ms)));
  EXPECT_EQ(client_->outcomes_waiting(), 1U);
  EXPECT_EQ(daemon_->entries.back().operation_id, entry.operation_id);
  EXPECT_EQ(daemon_->entries.back().outcome, Outcome::not_done);
}

TEST_F(ClientTest, DrainWaitsNoLongerThanItsPatience) {
  start({Habit::keep_silent});
  client_->send(outcome_of(intent(), Outcome::done, crypto::new_entry_id(random_, clock_), 1));
  EXPECT_FALSE(loop_.run_until_done(client_->drain(20ms)));
  EXPECT_EQ(client_->outcomes_waiting(), 1U);
}

TEST_F(ClientTest, TakesNobodyButTheNamedUserForAuditd) {
  daemon_ = std::make_unique<StandIn>(loop_, path_, std::vector{Habit::acknowledge});
  for (const bool right : {false, true}) {
    client_ = std::make_unique<Client>(loop_, clock_,
                                       ClientOptions{.socket_path = path_,
                                                     .instance = "vaultd",
                                                     .auditd_uid = ::geteuid() + (right ? 0 : 1)});
    EXPECT_EQ(loop_.run_until_done(client_->connected(100ms)), right);
    EXPECT_EQ(record(intent()).has_value(), right);
    loop_.run_until_done(client_->close());
  }
  EXPECT_EQ(daemon_->entries.size(), 1U);
}

TEST_F(ClientTest, ARefusedEntryIsAnErrorOfItsWriter) {
  start({Habit::refuse_all});
  EXPECT_EQ(record(intent()).error().code(), ErrorCode::invalid_argument);
  client_->send(outcome_of(intent(), Outcome::done, crypto::new_entry_id(random_, clock_), 1));
  EXPECT_TRUE(loop_.run_until_done(client_->drain(5s)));
  EXPECT_EQ(client_->outcomes_refused(), 1U);
}

Task<void> record_into(Client& client, Entry entry, std::vector<ErrorCode>& errors, int& left) {
  const Result<void> outcome = co_await client.record(entry);
  if (!outcome) errors.push_back(outcome.error().code());
  --left;
}

Task<void> until_zero(async::Loop& loop, const int& left) {
  while (left > 0) co_await loop.sleep_for(1ms);
}

TEST_F(ClientTest, SendsWhatWaitsTogetherAndOutcomesWithIt) {
  start({Habit::acknowledge});
  std::vector<ErrorCode> errors;
  int left = 400;
  for (int i = 0; i < 400; ++i) async::spawn(record_into(*client_, intent(), errors, left));
  for (int i = 0; i < 100; ++i) {
    client_->send(outcome_of(intent(), Outcome::done, crypto::new_entry_id(random_, clock_), 1));
  }
  loop_.run_until_done(until_zero(loop_, left));
  EXPECT_TRUE(loop_.run_until_done(client_->drain(5s)));
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(daemon_->entries.size(), 500U);
  EXPECT_LE(daemon_->messages, 8U);
}

TEST_F(ClientTest, RefusesWhatExceedsItsQueue) {
  daemon_ = std::make_unique<StandIn>(loop_, path_, std::vector{Habit::acknowledge});
  client_ = std::make_unique<Client>(
      loop_, clock_,
      ClientOptions{.socket_path = path_, .instance = "vaultd", .queue_max = 10, .batch_max = 4});
  ASSERT_TRUE(loop_.run_until_done(client_->connected(1s)));
  std::vector<ErrorCode> errors;
  int left = 50;
  for (int i = 0; i < 50; ++i) async::spawn(record_into(*client_, intent(), errors, left));
  loop_.run_until_done(until_zero(loop_, left));
  EXPECT_EQ(errors, std::vector(50 - 10, ErrorCode::exhausted));  // ten wait for the turn to end
}

TEST_F(ClientTest, CloseEndsWhatWaits) {
  start({Habit::keep_silent});
  std::vector<ErrorCode> errors;
  int left = 3;
  for (int i = 0; i < 3; ++i) async::spawn(record_into(*client_, intent(), errors, left));
  loop_.run_until_done(client_->close());
  EXPECT_EQ(left, 0);
  EXPECT_EQ(errors, std::vector(3, ErrorCode::unavailable));
}

}  // namespace
}  // namespace strongroom::audit

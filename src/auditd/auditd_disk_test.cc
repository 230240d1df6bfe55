// auditd when its disk is full, and when a crash left the end of a write.
#include <cerrno>
#include <mutex>

#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

// PosixFiles whose writes fail while `full` is set or a file of that path is larger than the other
// says, and wait while `gate` is held.
class FillingFiles final : public audit::PosixFiles {
 public:
  std::atomic<bool> full{false};
  std::string full_beside;
  std::uint64_t full_beside_bytes = 0;
  [[nodiscard]] bool is_full() const {
    return full || (!full_beside.empty() && fs::file_size(full_beside) > full_beside_bytes);
  }
  std::mutex gate;

  Result<std::unique_ptr<audit::File>> open(const std::string& path,
                                            audit::OpenMode mode) override {
    SR_TRY(auto file, audit::PosixFiles::open(path, mode));
    return std::make_unique<FillingFile>(std::move(file), *this);
  }

 private:
  class FillingFile final : public audit::File {
   public:
    FillingFile(std::unique_ptr<audit::File> file, FillingFiles& disk)
        : file_(std::move(file)), disk_(disk) {}
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
      return file_->read(offset, out);
    }
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      const std::lock_guard wait(disk_.gate);
      if (disk_.is_full()) {
        return fail(Error{ErrorCode::unavailable, "no space left"}.with_detail(ENOSPC));
      }
      return file_->write(offset, bytes);
    }
    Result<void> sync() override { return file_->sync(); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }

   private:
    std::unique_ptr<audit::File> file_;
    FillingFiles& disk_;
  };
};

Task<bool> becomes(async::Loop& loop, const audit::Client& client, bool ready) {
  for (int i = 0; i < 5'000 && client.ready() != ready; ++i) co_await loop.sleep_for(1ms);
  co_return client.ready() == ready;
}

TEST_F(AuditdTest, RefusesWhileTheDiskIsFullAndComesBackByItself) {
  FillingFiles disk;
  auto store = Store::open(disk, clock_, random_, store_options(), test_signer());
  ASSERT_TRUE(store);
  auto started = Auditd::start(loop_, *std::move(store), metrics_,
                               {.socket_path = socket_, .users = {{"vaultd", ::geteuid()}}});
  ASSERT_TRUE(started);
  std::unique_ptr<Auditd> auditd = *std::move(started);
  auto writer = connected_client();
  const audit::Entry before = entry(audit::Phase::intent);
  ASSERT_TRUE(record(*writer, before));
  disk.full = true;
  const audit::Entry meanwhile = entry();
  EXPECT_EQ(record(*writer, meanwhile).error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(loop_.run_until_done(becomes(loop_, *writer, false)));
  EXPECT_EQ(auditd->not_ready(), "the disk takes no entries");
  const audit::Entry outcome = outcome_for(before);
  writer->send(outcome);
  disk.full = false;
  EXPECT_TRUE(loop_.run_until_done(becomes(loop_, *writer, true)));
  EXPECT_EQ(auditd->not_ready(), "");
  EXPECT_TRUE(loop_.run_until_done(writer->drain(5s)));
  EXPECT_TRUE(record(*writer, meanwhile));
  stop(*writer);
  stop(auditd);
  const auto entries = journal();
  EXPECT_EQ(count(meanwhile.uid), 1U);
  EXPECT_EQ(count(outcome.uid), 1U);
  EXPECT_EQ(std::ranges::count(entries, audit::EventType::log_recovered, &audit::Entry::event_type),
            1);
}

TEST_F(AuditdTest, WhatAnOperatorCarriesIsNotJudgedUnlessTheLogTellsOfIt) {
  FillingFiles disk;
  witnesses_ = {
      audit::NoteKey{"w.example/1", test_signer().public_key(), audit::NoteKeyType::cosignature}};
  auto store = Store::open(disk, clock_, random_, store_options(), test_signer());
  ASSERT_TRUE(store);
  auto started =
      Auditd::start(loop_, *std::move(store), metrics_, {.socket_path = socket_, .users = {}});
  ASSERT_TRUE(started);
  std::unique_ptr<Auditd> auditd = *std::move(started);
  const std::string origin = "test.example/auditd/operator/2020";
  disk.full = true;
  EXPECT_EQ(loop_.run_until_done(auditd->take_size(origin, 99, "uid:7")).error().code(),
            ErrorCode::unavailable);
  EXPECT_FALSE(auditd->rolled_back());
  EXPECT_EQ(auditd->not_ready(), "the disk takes no entries");
  disk.full = false;
  stop(auditd);
}

class LedgerTest : public AuditdTest {
 protected:
  std::unique_ptr<Ledger> open_ledger(audit::Files& files, std::uint64_t reserve_bytes = 0) {
    auto ledger = Ledger::open(files, clock_, random_,
                               {.directory = folder_ + "/audit",
                                .instance = "auditd",
                                .place = "test.example/auditd",
                                .public_key = test_signer().public_key(),
                                .reserve_bytes = reserve_bytes,
                                .reserve_writers = {"vaultd"}},
                               {});
    SR_CHECK(ledger.has_value());
    return *std::move(ledger);
  }
  std::string json() { return audit::to_json(entry(), "vaultd"); }
  audit::EntryStatus append(Ledger& ledger, std::string_view instance) {
    const std::string json = audit::to_json(entry(), instance);
    Submission submission{instance, json};
    ledger.append(std::span(&submission, 1));
    return submission.status;
  }
};

TEST_F(LedgerTest, RecordsOneRecoveryHoweverOftenItWasTried) {
  FillingFiles disk;
  auto ledger = open_ledger(disk);
  disk.full = true;
  const std::string refused = json();
  Submission submission{"vaultd", refused};
  ledger->append(std::span(&submission, 1));
  EXPECT_EQ(submission.status, audit::EntryStatus::uncertain);
  for (int attempt = 0; attempt < 20; ++attempt) EXPECT_FALSE(ledger->recover());
  ledger->record_own({.event_type = audit::EventType::log_stop});
  ledger->append(std::span(&submission, 1));
  EXPECT_EQ(submission.status, audit::EntryStatus::uncertain) << "left as it was";
  disk.full = false;
  EXPECT_TRUE(ledger->recover());
  const auto entries = journal();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].event_type, audit::EventType::log_recovered);
  EXPECT_EQ(entries[1].event_type, audit::EventType::log_failure);
  EXPECT_EQ(entries[2].event_type, audit::EventType::log_stop);
  EXPECT_EQ(entries[3].event_type, audit::EventType::log_failure);
}

TEST_F(LedgerTest, WritesWhenAndWhyItTookNoEntriesOnceItDoes) {
  FillingFiles disk;
  auto ledger = open_ledger(disk);
  disk.full = true;
  const std::int64_t before_us = clock_.now_us();
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::uncertain);
  const std::int64_t after_us = clock_.now_us();
  EXPECT_FALSE(ledger->recover());
  disk.full = false;
  EXPECT_TRUE(ledger->recover());
  const auto told = failures();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].outcome, audit::Outcome::failed);
  EXPECT_EQ(told[0].operation, "no space left");
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"journal"});
  EXPECT_GE(told[0].time_us / 1000, before_us / 1000);
  EXPECT_LE(told[0].time_us / 1000, after_us / 1000);
  EXPECT_EQ(told[1].outcome, audit::Outcome::success);
  EXPECT_EQ(told[1].operation_id, told[0].operation_id);
}

TEST_F(LedgerTest, EndsAtItsStartWhatFailedWhenItsProcessEnded) {
  audit::PosixFiles disk;
  auto ledger = open_ledger(disk);
  ledger->begin_failure("checkpoints", "they are not signed", clock_.now_us());
  ledger->begin_failure("disk", "it does not answer", clock_.now_us());
  ledger->end_failure("disk");
  ledger = open_ledger(disk);
  ledger->write_waiting();
  ledger = open_ledger(disk);
  ledger->write_waiting();
  const auto told = failures();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[3].outcome, audit::Outcome::success);
  EXPECT_EQ(told[3].operation_id, told[0].operation_id);
  EXPECT_EQ(told[3].operation, "they are not signed");
  EXPECT_EQ(told[3].resources, std::vector<std::string>{"checkpoints"});
}

TEST_F(LedgerTest, FullDiskHasItsReserveForItsWritersOnly) {
  FillingFiles disk;
  auto ledger = open_ledger(disk, std::uint64_t{1} << 20);
  EXPECT_EQ(ledger->room(), Room::everyone);
  disk.full = true;
  EXPECT_EQ(append(*ledger, "authd"), audit::EntryStatus::uncertain);
  disk.full = false;  // as the released step makes it
  EXPECT_TRUE(ledger->recover());
  EXPECT_EQ(ledger->room(), Room::reserve_writers);
  EXPECT_EQ(append(*ledger, "authd"), audit::EntryStatus::unavailable);
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::durable);
  while (ledger->room() == Room::reserve_writers) {
    disk.full = true;
    EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::uncertain);
    disk.full = false;
    EXPECT_TRUE(ledger->recover());
  }
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::unavailable) << "the last is auditd's";
  EXPECT_EQ(append(*ledger, "auditd"), audit::EntryStatus::durable);
  ledger->refill();
  EXPECT_EQ(ledger->room(), Room::everyone);
  EXPECT_EQ(append(*ledger, "authd"), audit::EntryStatus::durable);
  const auto told = failures();
  EXPECT_EQ(std::ranges::count(told, std::vector<std::string>{"reserve"}, &audit::Entry::resources),
            2)
      << "its begin and its end, however many steps it took";
}

TEST_F(LedgerTest, StartsOnAFullDiskWithRoomOfItsReserve) {
  constexpr std::uint64_t kReserve = std::uint64_t{1} << 20;
  FillingFiles disk;
  auto ledger = open_ledger(disk, kReserve);
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::durable);
  ledger.reset();  // a crash: the files of the trees lack what the journal has
  disk.full_beside = folder_ + "/audit/reserve";
  disk.full_beside_bytes = kReserve * 7 / 8;
  ledger = open_ledger(disk, kReserve);
  EXPECT_EQ(ledger->room(), Room::reserve_writers);
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::durable);
  EXPECT_EQ(append(*ledger, "authd"), audit::EntryStatus::unavailable);
  const auto told = failures();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"reserve"});
}

TEST_F(LedgerTest, ReserveThatIsUsedUpLeavesTheJournalToItself) {
  FillingFiles disk;
  auto ledger = open_ledger(disk, 8);  // a step is a byte
  disk.full = true;
  EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::uncertain);
  for (int attempt = 0; attempt < 20; ++attempt) EXPECT_FALSE(ledger->recover());
  disk.full = false;
  EXPECT_TRUE(ledger->recover());
  EXPECT_EQ(append(*ledger, "auditd"), audit::EntryStatus::durable);
}

TEST_F(LedgerTest, ReadingAJournalTellsHowFarItIsAndCanBeStopped) {
  audit::PosixFiles disk;
  open_ledger(disk)->record_own({.event_type = audit::EventType::log_start});
  Replay replay;
  const auto open = [&] {
    return Ledger::open(disk, clock_, random_,
                        {.directory = folder_ + "/audit",
                         .instance = "auditd",
                         .place = "test.example/auditd",
                         .replay = &replay},
                        {});
  };
  EXPECT_TRUE(open());
  EXPECT_GT(replay.bytes_read, 0U);
  EXPECT_LE(replay.bytes_read, replay.bytes_total);
  replay.stop = true;
  EXPECT_EQ(open().error().code(), ErrorCode::unavailable);
}

TEST_F(LedgerTest, AnUidIsRepeatedForItsWriterOnly) {
  audit::PosixFiles disk;
  auto ledger = open_ledger(disk);
  const audit::Entry same = entry();
  const std::string of_vaultd = audit::to_json(same, "vaultd");
  const std::string of_authd = audit::to_json(same, "authd");
  std::array<Submission, 3> group{
      {{"vaultd", of_vaultd}, {"authd", of_authd}, {"vaultd", of_vaultd}}};
  ledger->append(group);
  EXPECT_EQ(group[0].status, audit::EntryStatus::durable);
  EXPECT_EQ(group[1].status, audit::EntryStatus::durable);
  EXPECT_EQ(group[2].status, audit::EntryStatus::repeated);
}

Task<void> append_into(Writer& writer, std::string_view instance,
                       std::vector<std::string_view> entries,
                       std::vector<audit::EntryStatus>& statuses, int& left) {
  const auto own = co_await writer.append(instance, entries);
  statuses.insert(statuses.end(), own.begin(), own.end());
  --left;
}

Task<void> until_zero(async::Loop& loop, const int& left) {
  while (left > 0) co_await loop.sleep_for(1ms);
}

TEST_F(LedgerTest, AnInstanceThatFillsItsQueueLeavesTheOthersRoom) {
  FillingFiles disk;
  auto ledger = open_ledger(disk);
  std::unique_lock disk_hangs(disk.gate);
  Writer writer(loop_, std::move(ledger), metrics_, kQuotaBytesPerMinute, [] {});
  constexpr int kAppends = kWaitingEntriesMax / kGroupEntriesMax + 4;
  int left = kAppends + 1;
  std::vector<audit::EntryStatus> flooding, other;
  const std::string of_authd = audit::to_json(entry(), "authd");
  for (int i = 0; i < kAppends; ++i) {
    const std::vector<std::string_view> entries(kGroupEntriesMax, "no entry");
    async::spawn(append_into(writer, "vaultd", entries, flooding, left));
  }
  async::spawn(append_into(writer, "authd", {of_authd}, other, left));
  disk_hangs.unlock();
  loop_.run_until_done(until_zero(loop_, left));
  writer.end();
  EXPECT_EQ(std::ranges::count(flooding, audit::EntryStatus::refused),
            static_cast<std::ptrdiff_t>(kWaitingEntriesMax));
  EXPECT_EQ(flooding.back(), audit::EntryStatus::unavailable);
  EXPECT_EQ(other, std::vector{audit::EntryStatus::durable});
}

Task<void> record_while_the_trees_are_behind(Writer& writer) {
  (void)co_await writer.take_grown(kUnwrittenEntriesMax + 1, 0, false);
  audit::Entry reload{.event_type = audit::EventType::config_reload};
  co_await writer.record_own(std::move(reload));
  (void)co_await writer.take_grown(0, 0, false);
}

TEST_F(LedgerTest, EntriesOfItsOwnWaitNoLongerThanTheJournalTakesNone) {
  audit::PosixFiles disk;
  Writer writer(loop_, open_ledger(disk), metrics_, kQuotaBytesPerMinute, [] {});
  loop_.run_until_done(record_while_the_trees_are_behind(writer));
  writer.end();
  loop_.run_until_done(loop_.sleep_for(1ms));  // what it posted last
  const auto entries = journal();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].event_type, audit::EventType::config_reload);
}

TEST_F(LedgerTest, WhatACrashLeftUnsignedIsSignedAlsoWhenNothingComesBehindIt) {
  auto auditd = start();
  stop(auditd);
  {
    audit::PosixFiles disk;
    auto ledger = open_ledger(disk);
    EXPECT_EQ(append(*ledger, "vaultd"), audit::EntryStatus::durable);
  }
  EXPECT_EQ(verify().unsigned_entries, 1U);
  auditd = start();
  stop(auditd);
  EXPECT_EQ(verify().unsigned_entries, 0U);
}

TEST_F(LedgerTest, DiskThatHangsIsToldAndTakesEntriesAgain) {
  FillingFiles disk;
  auto store = Store::open(disk, clock_, random_, store_options(), test_signer());
  ASSERT_TRUE(store);
  auto started = Auditd::start(loop_, *std::move(store), metrics_,
                               {.socket_path = socket_, .users = {{"vaultd", ::geteuid()}}});
  ASSERT_TRUE(started);
  std::unique_ptr<Auditd> auditd = *std::move(started);
  auto writer = connected_client();
  ASSERT_TRUE(record(*writer, entry()));
  const audit::Entry waiting = outcome_for(entry(audit::Phase::intent));
  {
    const std::lock_guard disk_hangs(disk.gate);
    writer->send(waiting);
    EXPECT_TRUE(loop_.run_until_done(becomes(loop_, *writer, false)));
    EXPECT_EQ(auditd->not_ready(), "the disk does not answer");
    const auto refused = record(*writer, entry());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
    auto newcomer = connected_client();
    EXPECT_FALSE(newcomer->ready());
    stop(*newcomer);
  }
  EXPECT_TRUE(loop_.run_until_done(becomes(loop_, *writer, true)));
  EXPECT_EQ(auditd->not_ready(), "");
  stop(*writer);
  stop(auditd);
  EXPECT_EQ(count(waiting.uid), 1U);
  const auto told = failures();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"disk"});
  EXPECT_EQ(told[1].operation_id, told[0].operation_id);
}

TEST_F(LedgerTest, WriterAboveItsQuotaIsTurnedAwayAndNoOther) {
  auto store = open_store();
  ASSERT_TRUE(store);
  auto started = Auditd::start(loop_, *std::move(store), metrics_,
                               {.socket_path = socket_,
                                .users = {{"vaultd", ::geteuid()}, {"authd", ::geteuid()}},
                                .quota_bytes_per_minute = 1'000});
  ASSERT_TRUE(started);
  std::unique_ptr<Auditd> auditd = *std::move(started);
  auto flooding = connected_client(), other = connected_client("authd");
  ASSERT_TRUE(record(*flooding, entry())) << "600 bytes";
  const auto refused = record(*flooding, entry());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(record(*other, entry()));
  auditd->set_quota(kQuotaBytesPerMinute);
  EXPECT_TRUE(record(*flooding, entry()));
  stop(*flooding);
  stop(*other);
  while (failures().empty()) loop_.run_until_done(loop_.sleep_for(10ms));
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"quota of vaultd"});
  EXPECT_EQ(told[0].operation, "more than quota_mib_per_minute");
  EXPECT_EQ(metrics_.counter("strongroom_audit_new_logs_refused_total", "").value(), 0U);
}

TEST_F(LedgerTest, WriterThatBeginsTooManyLogsIsTurnedAwayAndToldOf) {
  StoreOptions options = store_options();
  options.new_logs = {.at_once = 1, .per_minute = 0};
  auto store = Store::open(files_, clock_, random_, options, test_signer());
  ASSERT_TRUE(store);
  auto started = Auditd::start(loop_, *std::move(store), metrics_,
                               {.socket_path = socket_, .users = {{"vaultd", ::geteuid()}}});
  ASSERT_TRUE(started);
  std::unique_ptr<Auditd> auditd = *std::move(started);
  auto writer = connected_client();
  ASSERT_TRUE(record(*writer, entry()));
  audit::Entry made_up = entry();
  made_up.merchant_id = "mer_2";
  const auto refused = record(*writer, made_up);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(record(*writer, entry()));
  EXPECT_EQ(metrics_.counter("strongroom_audit_above_quota_total", "").value(), 1U);
  EXPECT_EQ(metrics_.counter("strongroom_audit_new_logs_refused_total", "").value(), 1U);
  stop(*writer);
  while (failures().empty()) loop_.run_until_done(loop_.sleep_for(10ms));
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].resources, std::vector<std::string>{"new logs of vaultd"});
  EXPECT_EQ(told[0].operation, "more new logs than 10,000 at once and then ten a second");
  EXPECT_FALSE(fs::exists(folder_ + "/audit/trees/mer_2-2026"));
}

TEST_F(AuditdTest, CutsATornEndAndRecordsIt) {
  auto auditd = start();
  stop(auditd);
  const std::string segment = folder_ + "/audit/" + audit::segment_name(1);
  auto reader = audit::JournalReader::open(files_, folder_ + "/audit");
  while (reader->next()->has_value()) {
  }
  const std::uint64_t end = reader->place().offset_bytes;
  auto file = files_.open(segment, audit::OpenMode::write);
  ASSERT_TRUE((*file)->write(end, as_bytes("torn")));
  auditd = start();
  stop(auditd);
  const auto entries = journal();
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[2].event_type, audit::EventType::log_recovered);
  EXPECT_EQ(entries[2].resources, std::vector{audit::segment_name(1)});
  EXPECT_EQ(entries[2].old_size_bytes, end + 4);
  EXPECT_EQ(entries[2].new_size_bytes, end);
  EXPECT_EQ(entries[3].event_type, audit::EventType::log_start);
}

}  // namespace
}  // namespace strongroom::auditd

// What auditd tells of itself: that nobody witnesses it, and what of its own fails.
#include <mutex>

#include "auditd/refusal.h"
#include "auditd/testing/dying_files.h"
#include "auditd/testing/retention_fixture.h"

namespace strongroom::auditd {
namespace {

using Strings = std::vector<std::string>;

class WatchTest : public AuditdTest {
 protected:
  WatchTest() { set_clock_.set(rfc3339(clock_.now_us())); }
  // Of a store of these files, and a clock that stands still at the time of the test.
  std::unique_ptr<Auditd> serve(audit::Files& files) {
    StoreOptions store_of = store_options();
    store_of.journal.segment_bytes_max = segment_bytes_;
    auto store = Store::open(files, set_clock_, random_, store_of, test_signer());
    SR_CHECK(store.has_value());
    auto auditd = Auditd::start(loop_, *std::move(store), metrics_,
                                {.socket_path = socket_,
                                 .users = {{"vaultd", ::geteuid()}, {"authd", ::geteuid()}},
                                 .checkpoint_interval = checkpoint_interval_,
                                 .expects_witness = expects_witness_,
                                 .unsigned_max = unsigned_max_,
                                 .stop_patience = stop_patience_});
    SR_CHECK(auditd.has_value());
    return *std::move(auditd);
  }
  void run_for(std::chrono::milliseconds time) { loop_.run_until_done(loop_.sleep_for(time)); }
  template <class Condition>
  bool comes(Condition condition) {
    for (int i = 0; i < 1'000 && !condition(); ++i) run_for(5ms);
    return condition();
  }
  // How often an auditd, whose days pass, says that nobody could tell of a rollback.
  int warnings(bool expects_witness, int days) {
    expects_witness_ = expects_witness;
    auto auditd = serve(files_);
    testing::internal::CaptureStderr();
    run_for(200ms);
    for (int day = 0; day < days; ++day) {
      set_clock_.add_ms(kDayMs - 1);
      run_for(120ms);  // more than two looks
      set_clock_.add_ms(1);
      run_for(120ms);
    }
    const std::string lines = testing::internal::GetCapturedStderr();
    stop(auditd);
    int count = 0;
    constexpr std::string_view kWarning = "nobody could tell if the audit log were rolled back";
    for (auto at = lines.find(kWarning); at != std::string::npos; at = lines.find(kWarning, at + 1))
      ++count;
    return count;
  }
  std::int64_t metric(std::string_view name) { return metrics_.gauge(name, "").value(); }

  SetClock set_clock_;
  bool expects_witness_ = false;
  std::chrono::milliseconds checkpoint_interval_ = 1s, unsigned_max_ = 30s, stop_patience_ = 3s;
  std::uint64_t segment_bytes_ = audit::JournalOptions{}.segment_bytes_max;
};

TEST_F(WatchTest, ProductionWarnsEveryDayWhileNoWitnessIsSet) {
  EXPECT_EQ(warnings(true, 3), 4) << "at the start, and then once a day";
}

TEST_F(WatchTest, OtherProfilesDoNotWarnWithoutAWitness) { EXPECT_EQ(warnings(false, 2), 0); }

TEST_F(WatchTest, AWitnessThatIsSetAndSilentIsWarnedOfInEveryProfile) {
  witnesses_ = {{"w.example/1", test_signer().public_key(), audit::NoteKeyType::cosignature}};
  EXPECT_EQ(warnings(false, 1), 2);
}

// PosixFiles that do not come back from writing what was signed last while `gate` is held.
class HangingFiles final : public audit::PosixFiles {
 public:
  std::mutex gate;
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override {
    const std::lock_guard wait(gate);
    return PosixFiles::replace(path, bytes);
  }
};

TEST_F(WatchTest, ASigningThatHangsIsToldAndHoldsUpNothingElse) {
  HangingFiles files;
  checkpoint_interval_ = 10ms;
  unsigned_max_ = 1'100ms;
  auto auditd = serve(files);
  auto writer = connected_client();
  ASSERT_TRUE(record(*writer, entry()));
  EXPECT_TRUE(auditd->signing());
  {
    const std::lock_guard hangs(files.gate);
    ASSERT_TRUE(record(*writer, entry()));
    EXPECT_TRUE(comes([&] { return !auditd->signing(); }));
    EXPECT_EQ(metric("strongroom_audit_signing"), 0);
    EXPECT_GE(metric("strongroom_audit_unsigned_seconds"), 1);
    EXPECT_TRUE(record(*writer, entry())) << "entries are taken";
    EXPECT_EQ(auditd->not_ready(), "");
    EXPECT_TRUE(comes([&] { return failures().size() == 1; })) << "and so is this one";
  }
  EXPECT_TRUE(comes([&] { return auditd->signing(); }));
  EXPECT_TRUE(comes([&] { return metric("strongroom_audit_unsigned_seconds") == 0; }));
  stop(*writer);
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].resources, Strings{"checkpoints"});
  EXPECT_EQ(told[0].operation, "entries wait for a checkpoint");
  EXPECT_EQ(told[1].operation_id, told[0].operation_id);
  EXPECT_EQ(verify().unsigned_entries, 0U);
}

Task<void> drain(Auditd& auditd, bool& done) {
  co_await auditd.drain();
  done = true;
}

TEST_F(WatchTest, ASigningThatHangsDoesNotKeepTheStopOutOfTheLog) {
  HangingFiles files;
  checkpoint_interval_ = 10ms;
  stop_patience_ = 200ms;
  auto auditd = serve(files);
  auto writer = connected_client();
  bool done = false;
  const audit::Entry acknowledged = entry();
  testing::internal::CaptureStderr();
  {
    const std::lock_guard hangs(files.gate);
    ASSERT_TRUE(record(*writer, acknowledged));
    run_for(120ms);
    stop(*writer);
    async::spawn(drain(*auditd, done));
    EXPECT_TRUE(comes([&] {
      const auto entries = journal();
      return entries.back().event_type == audit::EventType::log_stop;
    }));
    run_for(20ms);
    EXPECT_FALSE(done);
    EXPECT_EQ(count(acknowledged.uid), 1U);
  }
  EXPECT_TRUE(comes([&] { return done; })) << "a signing that comes back is waited for";
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains("the signing hangs"));
  auditd.reset();
  EXPECT_EQ(verify().unsigned_entries, 0U);
}

TEST_F(WatchTest, SigningUnderLoadDoesNotHang) {
  checkpoint_interval_ = 10ms;
  unsigned_max_ = 500ms;
  auto auditd = serve(files_);
  auto writer = connected_client();
  for (const auto end = std::chrono::steady_clock::now() + 1s;
       std::chrono::steady_clock::now() < end;) {
    ASSERT_TRUE(record(*writer, entry()));
  }
  stop(*writer);
  stop(auditd);
  EXPECT_TRUE(failures().empty());
}

// PosixFiles on a system that has immutable files, until it fails.
class FailingFiles final : public audit::PosixFiles {
 public:
  std::atomic<bool> fails{false};
  bool has_immutable(const std::string&) override { return true; }
  Result<void> set_immutable(const std::string&, bool) override {
    return fails ? fail({ErrorCode::unavailable, "no"}) : Result<void>{};
  }
};

TEST_F(WatchTest, AClosedFileThatCannotBeMadeImmutableIsToldAtOnce) {
  segment_bytes_ = 4'096;
  FailingFiles files;
  auto auditd = serve(files);
  auto writer = connected_client();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(record(*writer, entry()));
  run_for(120ms);
  EXPECT_TRUE(auditd->immutable());
  EXPECT_EQ(metric("strongroom_audit_immutable"), 1);
  files.fails = true;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(record(*writer, entry()));
  EXPECT_TRUE(comes([&] { return !auditd->immutable(); }));
  EXPECT_EQ(metric("strongroom_audit_immutable"), 0);
  EXPECT_TRUE(comes([&] { return !failures().empty(); }));
  stop(*writer);
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), 1U) << "once, whatever else fails";
  EXPECT_EQ(told[0].resources, Strings{"immutable"});
  FailingFiles works;
  auditd = serve(works);
  EXPECT_TRUE(auditd->immutable()) << "the start makes up for it";
  stop(auditd);
  EXPECT_EQ(failures().size(), 2U);
}

TEST_F(WatchTest, WhereThereAreNoImmutableFilesNothingFails) {
  segment_bytes_ = 4'096;
  auto auditd = serve(files_);
  EXPECT_FALSE(auditd->immutable());
  auto writer = connected_client();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(record(*writer, entry()));
  run_for(120ms);
  stop(*writer);
  stop(auditd);
  EXPECT_TRUE(failures().empty());
}

TEST_F(WatchTest, AFailureThatOutlastsItsTellerEndsAtHisNextStart) {
  auto auditd = serve(files_);
  auto writer = connected_client();
  std::vector<audit::Entry> begun;
  for (const char* control : {"witness:w1", "export:siem"}) {
    audit::Entry failure = entry();
    failure.event_type = audit::EventType::log_failure;
    failure.outcome = audit::Outcome::failed;
    failure.operation = "not reached";
    failure.resources = {control};
    failure.merchant_id.clear();
    ASSERT_TRUE(record(*writer, failure));
    begun.push_back(failure);
  }
  audit::Entry mended = begun[1];
  mended.uid = entry().uid;
  mended.outcome = audit::Outcome::success;
  ASSERT_TRUE(record(*writer, mended));
  stop(*writer);
  stop(auditd);
  auditd = serve(files_);
  EXPECT_EQ(failures().size(), 3U) << "its teller may run on";
  for (const char* instance : {"authd", "vaultd"}) {
    writer = connected_client(instance);
    audit::Entry started = entry();
    started.event_type = audit::EventType::service_start;
    started.merchant_id.clear();
    ASSERT_TRUE(record(*writer, started));
    stop(*writer);
    run_for(20ms);
    EXPECT_EQ(failures().size(), instance == std::string_view("authd") ? 3U : 4U);
  }
  stop(auditd);
  auditd = serve(files_);
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), 4U) << "once";
  EXPECT_EQ(told[3].operation_id, begun[0].operation_id);
  EXPECT_EQ(told[3].resources, begun[0].resources);
  EXPECT_EQ(told[3].operation, begun[0].operation);
  EXPECT_EQ(told[3].outcome, audit::Outcome::success);
  EXPECT_EQ(told[3].instance, "auditd");
  EXPECT_TRUE(verify().ok());
}

TEST_F(WatchTest, NoWriterFillsThePlacesOfTheOthersFailures) {
  auto auditd = serve(files_);
  auto vaultd = connected_client();
  auto authd = connected_client("authd");
  audit::Entry failure = entry();
  failure.event_type = audit::EventType::log_failure;
  failure.outcome = audit::Outcome::failed;
  failure.merchant_id.clear();
  constexpr int kBegun = 100, kEnded = 32;
  for (int i = 0; i < kBegun; ++i) {
    failure.uid = entry().uid;
    failure.resources = {"export:" + std::to_string(i)};
    ASSERT_TRUE(record(*vaultd, failure));
  }
  failure.uid = entry().uid;
  failure.operation_id = entry().operation_id;
  ASSERT_TRUE(record(*authd, failure));
  for (audit::Client* writer : {vaultd.get(), authd.get()}) {
    audit::Entry started = entry();
    started.event_type = audit::EventType::service_start;
    started.merchant_id.clear();
    ASSERT_TRUE(record(*writer, started));
    stop(*writer);
  }
  stop(auditd);
  const auto told = failures();
  ASSERT_EQ(told.size(), kBegun + 1 + kEnded + 1);
  EXPECT_EQ(told.back().operation_id, failure.operation_id);
  EXPECT_TRUE(verify().ok());
}

TEST_F(WatchTest, AFailureThatWasOutlastedWhenAuditdWasKilledEndsAtItsStart) {
  {
    auto store = open_store();
    ASSERT_TRUE(store);
    audit::Entry failure = entry();
    failure.event_type = audit::EventType::log_failure;
    failure.outcome = audit::Outcome::failed;
    failure.resources = {"witness:w1"};
    audit::Entry started = entry();
    started.event_type = audit::EventType::service_start;
    for (const audit::Entry& made : {failure, started}) {
      const std::string json = audit::to_json(made, "vaultd");
      Submission submission{"vaultd", json};
      store->ledger->append(std::span(&submission, 1));
      ASSERT_EQ(submission.status, audit::EntryStatus::durable);
    }
  }
  for (int start = 0; start < 2; ++start) {
    auto auditd = serve(files_);
    stop(auditd);
    ASSERT_EQ(failures().size(), 2U);
    EXPECT_EQ(failures()[1].operation_id, failures()[0].operation_id);
  }
}

TEST_F(WatchTest, AStartThatWasRefusedIsInTheLogOnceOneWorks) {
  const auto run = [&] {
    auto auditd = serve(files_);
    auto writer = connected_client();
    EXPECT_TRUE(record(*writer, entry()));
    stop(*writer);
    stop(auditd);
  };
  const std::string audit = folder_ + "/audit", journal_path = audit + "/" + audit::segment_name(1);
  const auto put = [](const std::string& from, const std::string& to) {
    fs::copy(from, to, fs::copy_options::overwrite_existing | fs::copy_options::recursive);
  };
  run();
  put(journal_path, folder_ + "/older");
  run();
  put(journal_path, folder_ + "/newer");
  put(folder_ + "/older", journal_path);
  fs::remove(audit + "/snapshot");
  const std::int64_t refused_us = set_clock_.now_us();
  for (int start = 0; start < 2; ++start) {
    const auto store = Store::open(files_, set_clock_, random_, store_options(), test_signer());
    EXPECT_EQ(store.error().code(), ErrorCode::corrupt);
    set_clock_.add_days(1);
  }
  put(folder_ + "/newer", journal_path);
  run();
  EXPECT_FALSE(fs::exists(audit + "/" + std::string(kRefusedName)));
  run();
  const auto told = failures();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].resources, Strings{"history"});
  EXPECT_EQ(told[0].operation, "journal is older than its last signed checkpoint");
  EXPECT_EQ(told[0].outcome, audit::Outcome::failed);
  EXPECT_EQ(told[0].time_us, refused_us) << "when it was refused first";
  EXPECT_EQ(told[1].outcome, audit::Outcome::success);
  EXPECT_EQ(told[1].operation_id, told[0].operation_id);
  EXPECT_EQ(told[1].time_us, set_clock_.now_us());
  EXPECT_TRUE(verify().ok());
}

TEST_F(WatchTest, ADamagedNoteOfARefusalIsNone) {
  const std::string path = folder_ + "/audit/" + std::string(kRefusedName);
  for (const char* text : {"", "\n", "2026-01-05T10:00:00.000Z x", "x y\n", "1 2\n"}) {
    ASSERT_TRUE(files_.replace(path, as_bytes(std::string_view(text))));
    EXPECT_FALSE(noted_refusal(files_, folder_ + "/audit")) << text;
  }
  ASSERT_TRUE(note_refusal(files_, folder_ + "/audit", {.since_us = 1'000, .cause = "a b"}));
  const auto noted = noted_refusal(files_, folder_ + "/audit");
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->since_us, 1'000);
  EXPECT_EQ(noted->cause, "a b");
  DyingFiles::Immutable immutable;
  DyingFiles disk(immutable);
  disk.kill_after(1);  // the removal is made, and a power loss may undo it
  EXPECT_FALSE(forget_refusal(disk, folder_ + "/audit"));
  EXPECT_FALSE(noted_refusal(files_, folder_ + "/audit"));
}

}  // namespace
}  // namespace strongroom::auditd

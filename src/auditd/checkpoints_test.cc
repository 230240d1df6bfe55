// What auditd signs, what it refuses to sign, and what it refuses to start on.
#include "audit/checkpoint_files.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

TEST_F(AuditdTest, SignsWhatGrewAndTheLogVerifies) {
  auto auditd = start();
  auto writer = connected_client();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(record(*writer, entry()));
  ASSERT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  const auto last_signed = audit::read_last_signed(files_, folder_ + "/audit");
  EXPECT_EQ(last_signed->size(), 2U);  // the operator's and the merchant's log
  EXPECT_EQ(*loop_.run_until_done(auditd->checkpoint_now()), 0U);
  EXPECT_TRUE(verify().ok());  // beside the running daemon
  stop(*writer);
  stop(auditd);
  const audit::VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
  EXPECT_EQ(report.entries, 8U) << "start, five, a log.checkpoint of them, stop";
  EXPECT_EQ(report.unsigned_entries, 0U);
}

TEST_F(AuditdTest, SignsByItselfWhileALogGrows) {
  auto auditd = start({{"vaultd", ::geteuid()}}, 100ms);
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, entry()));
  for (int i = 0; i < 3'000 && !fs::exists(folder_ + "/audit/last-signed"); ++i) {
    loop_.run_until_done(loop_.sleep_for(1ms));
  }
  EXPECT_TRUE(fs::exists(folder_ + "/audit/last-signed"));
  EXPECT_TRUE(auditd->signing());
  stop(*writer);
  stop(auditd);
}

TEST_F(AuditdTest, RefusesARolledBackJournal) {
  auto auditd = start();
  stop(auditd);
  const std::string segment = folder_ + "/audit/" + audit::segment_name(1);
  fs::copy(segment, folder_ + "/older");
  auditd = start();
  stop(auditd);
  fs::copy(folder_ + "/older", segment, fs::copy_options::overwrite_existing);
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
  const audit::VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "journal is older than its last signed checkpoint");
  fs::remove(segment);
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
  fs::remove(folder_ + "/audit/last-signed");
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
}

TEST_F(AuditdTest, RefusesAJournalWhoseRecordIsGone) {
  auto auditd = start();
  EXPECT_TRUE(fs::exists(folder_ + "/audit/last-signed")) << "before anything is signed";
  stop(auditd);
  fs::remove(folder_ + "/audit/last-signed");
  fs::remove_all(folder_ + "/audit/checkpoints");
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
  EXPECT_FALSE(verify().ok());
}

TEST_F(AuditdTest, RefusesAnotherHistoryOfTheSameLength) {
  auto auditd = start();
  stop(auditd);
  const std::string segment = folder_ + "/audit/" + audit::segment_name(1);
  fs::rename(folder_ + "/audit/last-signed", folder_ + "/signed");
  fs::remove_all(folder_ + "/audit");
  fs::create_directory(folder_ + "/audit");
  auditd = start();
  stop(auditd);
  fs::copy(folder_ + "/signed", folder_ + "/audit/last-signed",
           fs::copy_options::overwrite_existing);
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
}

Result<void> publish(Checkpoints& checkpoints, const GrownLog& log) {
  std::vector<GrownLog> grown{log};
  return checkpoints.publish(grown);
}

TEST_F(AuditdTest, OneLogsFileDoesNotHoldUpTheOthers) {
  auto checkpoints =
      Checkpoints::open(files_, folder_ + "/audit", "test.example/auditd", test_signer());
  ASSERT_TRUE(checkpoints);
  std::vector<GrownLog> grown;
  for (const char* log : {"mer_a-2026", "mer_b-2026", "mer_c-2026"}) {
    grown.push_back({.name = log, .head = {1, {}}, .growth = {}});
  }
  fs::create_directory(audit::checkpoint_path(folder_ + "/audit", "mer_b-2026"));
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(checkpoints->publish(grown).error().code(), ErrorCode::unavailable);
    ASSERT_EQ(grown.size(), 1U);
    EXPECT_EQ(grown[0].name, "mer_b-2026");
  }
  fs::remove(audit::checkpoint_path(folder_ + "/audit", "mer_b-2026"));
  EXPECT_TRUE(checkpoints->publish(grown));
  const auto size = [&](std::string_view log) {
    return fs::file_size(audit::checkpoint_path(folder_ + "/audit", std::string(log)));
  };
  EXPECT_EQ(size("mer_a-2026"), size("mer_b-2026")) << "one note each";
  EXPECT_EQ(size("mer_c-2026"), size("mer_b-2026"));
}

TEST_F(AuditdTest, SignsNothingThatContradicts) {
  auto checkpoints =
      Checkpoints::open(files_, folder_ + "/audit", "test.example/auditd", test_signer());
  ASSERT_TRUE(checkpoints);
  const std::string name = "operator-2026";
  GrownLog log{name, {5, audit::leaf_hash(as_bytes("five"))}, {}};
  ASSERT_TRUE(publish(*checkpoints, log));
  EXPECT_TRUE(publish(*checkpoints, log));
  const GrownLog smaller{name, {4, audit::leaf_hash(as_bytes("four"))}, {}};
  EXPECT_EQ(publish(*checkpoints, smaller).error().code(), ErrorCode::conflict);
  const GrownLog other{name, {5, audit::leaf_hash(as_bytes("other"))}, {}};
  EXPECT_EQ(publish(*checkpoints, other).error().code(), ErrorCode::conflict);
  // A new process knows, too.
  auto again = Checkpoints::open(files_, folder_ + "/audit", "test.example/auditd", test_signer());
  ASSERT_TRUE(again);
  EXPECT_EQ(publish(*again, smaller).error().code(), ErrorCode::conflict);
  log.head.size = 6;
  EXPECT_TRUE(publish(*again, log));
}

TEST_F(AuditdTest, GoesOnBehindACheckpointThatACrashCutShort) {
  const std::string path = audit::checkpoint_path(folder_ + "/audit", "operator-2026");
  GrownLog log{"operator-2026", {1, {}}, {}};
  const auto publish_next = [&] {
    auto checkpoints =
        Checkpoints::open(files_, folder_ + "/audit", "test.example/auditd", test_signer());
    SR_CHECK(checkpoints && publish(*checkpoints, log));
  };
  publish_next();
  const auto one = fs::file_size(path);
  for (std::uint64_t cut = 0; cut < one; cut += 11) {
    ++log.head.size;
    publish_next();
    fs::resize_file(path, one + cut);
    ++log.head.size;
    publish_next();
    auto reader = audit::CheckpointReader::open(files_, path);
    std::size_t notes = 0;
    while (reader->next()->has_value()) ++notes;
    EXPECT_EQ(notes, 2U) << cut;
    EXPECT_EQ(reader->end_bytes(), fs::file_size(path));
    fs::resize_file(path, one);
  }
}

// What a power loss leaves of a file that was not synced: zeros in its middle, or nothing.
TEST_F(AuditdTest, MendsCheckpointFilesAndSignsAgainWhatTheyLack) {
  auto auditd = start();
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, entry()));
  ASSERT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
  const std::string year = rfc3339(clock_.now_us()).substr(0, 4);
  const std::string merchants = audit::checkpoint_path(folder_ + "/audit", "mer_1-" + year);
  const std::string operators = audit::checkpoint_path(folder_ + "/audit", "operator-" + year);
  const std::string whole = *audit::read_text(files_, merchants, 1 << 20);
  std::string holed = whole;
  holed.replace(10, 200, 200, '\0');
  ASSERT_TRUE(files_.replace(merchants, as_bytes(holed)));
  fs::remove(operators);
  EXPECT_FALSE(verify().ok());
  auditd = start();
  stop(auditd);
  const audit::VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
  const std::string mended = *audit::read_text(files_, merchants, 1 << 20);
  EXPECT_TRUE(whole.ends_with(mended)) << "signed again as it was";
  const auto entries = journal();
  const auto told =
      std::ranges::find(entries, audit::EventType::log_recovered, &audit::Entry::event_type);
  ASSERT_NE(told, entries.end());
  EXPECT_EQ(told->resources, std::vector<std::string>{"checkpoints/mer_1-" + year + ".log"});
  EXPECT_EQ(told->old_size_bytes, whole.size());
  EXPECT_EQ(told->new_size_bytes, 0U);
}

TEST_F(AuditdTest, LooksOnlyAtNotesThatWereNotSynced) {
  auto auditd = start();
  stop(auditd);
  const std::string year = rfc3339(clock_.now_us()).substr(0, 4);
  const std::string path = audit::checkpoint_path(folder_ + "/audit", "operator-" + year);
  {
    auto store = open_store();
    ASSERT_TRUE(store);
    auto grown = store->ledger->take_grown(0);
    ASSERT_TRUE(store->checkpoints.publish(grown));
    const auto snapshot = store->ledger->take_snapshot(0);
    ASSERT_TRUE(store->checkpoints.keep(*snapshot));
  }
  const std::string whole = *audit::read_text(files_, path, 1 << 20);
  std::string damaged = whole;
  damaged[3] = '\0';  // damage in what was synced is none of a power loss
  ASSERT_TRUE(files_.replace(path, as_bytes(damaged + "half a note")));
  auditd = start();
  stop(auditd);
  EXPECT_TRUE(audit::read_text(files_, path, 1 << 20)->starts_with(damaged));
  EXPECT_FALSE(verify().ok());
}

}  // namespace
}  // namespace strongroom::auditd

// Thirteen months of a log: what is old goes into archives, comes back when it is asked for, can be
// proved then, and leaves only when its lock is over.
#include "audit/checkpoint_files.h"
#include "audit/cosignature.h"
#include "auditd/admin_routes.h"
#include "auditd/testing/retention_fixture.h"

namespace strongroom::auditd {
namespace {

TEST_F(RetentionTest, AnEntryOfElevenMonthsAgoIsRestoredAndProved) {
  Store store = fill(13, 20);
  ASSERT_EQ(segments().size(), 13U) << "each month begins a segment";
  auto auditd = serve(std::move(store));
  ASSERT_TRUE(run(auditd->checkpoint_now()));
  const std::string before = std::string(as_text(*log().entry(25)));
  ASSERT_TRUE(proves(25));

  const auto made = run(auditd->archivist()->archive_due("uid:7"));
  ASSERT_TRUE(made) << made.error().what();
  EXPECT_EQ(*made, 10U) << "what is older than 92 days";
  EXPECT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{0}) << "once";
  EXPECT_EQ(segments().size(), 3U) << "three months";
  EXPECT_EQ(log().entry(25).error().code(), ErrorCode::gone);
  EXPECT_TRUE(log().entry(230)) << "at hand";

  const std::uint64_t archive = log().place(25)->segment_first_sequence;
  const auto until = run(auditd->archivist()->restore(archive, "uid:7"));
  ASSERT_TRUE(until) << until.error().what();
  EXPECT_EQ(*until, set_clock_.now_ms() + 7 * kDayMs);
  EXPECT_EQ(as_text(*log().entry(25)), before);
  EXPECT_TRUE(proves(25));
  EXPECT_EQ(run(auditd->archivist()->restore(archive + 1, "uid:7")).error().code(),
            ErrorCode::not_found);

  set_clock_.add_days(8);
  ASSERT_TRUE(run(auditd->archivist()->archive_due({})));
  EXPECT_EQ(log().entry(25).error().code(), ErrorCode::gone) << "its time is over";
  stop(auditd);

  auditd = serve(open(files_));
  EXPECT_EQ(list(*auditd).size(), 10U) << "a restart needs no archive";
  ASSERT_TRUE(run(auditd->archivist()->restore(archive, "uid:7")));
  EXPECT_TRUE(proves(25));
  stop(auditd);
  fs::remove(directory_ + "/snapshot");
  const auto lost = Store::open(files_, set_clock_, random_, store_options(), test_signer());
  EXPECT_EQ(lost.error().code(), ErrorCode::corrupt) << "without a snapshot it needs them";
}

TEST_F(RetentionTest, AnArchiveLeavesWhenItsLockIsOverAndNotBefore) {
  auto auditd = serve(fill(5, 5));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{2});
  Archivist& archivist = *auditd->archivist();
  const auto listed = list(*auditd);
  ASSERT_EQ(listed.size(), 2U);
  const std::uint64_t first = listed[0].first_sequence;
  ASSERT_TRUE(listed[0].item);
  const std::int64_t newest_ms = listed[0].item->header.segment.newest_ms;
  EXPECT_EQ(listed[0].locked_until_ms(), newest_ms + 366 * kDayMs);

  const std::int64_t held_ms = newest_ms + 400 * kDayMs;
  EXPECT_EQ(run(archivist.hold(first, newest_ms, "uid:7")).error().code(), ErrorCode::conflict)
      << "no command shortens it";
  ASSERT_TRUE(run(archivist.hold(first, held_ms, "uid:7")));
  EXPECT_EQ(run(archivist.hold(first, held_ms, "uid:7")).error().code(), ErrorCode::conflict);
  EXPECT_EQ(list(*auditd)[0].locked_until_ms(), held_ms);
  const auto refused = run(archivist.dispose(first, held_ms - 1, "uid:7"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(*refused, held_ms);
  EXPECT_TRUE(fs::exists(audit::archive_path(directory_, first)));
  stop(auditd);
  auditd = serve(open(files_));
  EXPECT_EQ(list(*auditd)[0].locked_until_ms(), held_ms) << "a restart remembers";

  const auto done = run(auditd->archivist()->dispose(first, held_ms, "uid:7"));
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->has_value());
  EXPECT_FALSE(fs::exists(audit::archive_path(directory_, first)));
  EXPECT_EQ(list(*auditd).size(), 1U);
  EXPECT_EQ(run(auditd->archivist()->restore(first, "uid:7")).error().code(), ErrorCode::not_found);
  EXPECT_EQ(acts(), (std::vector<std::string>{"begin uid:7", "seal ", "seal ", "hold uid:7",
                                              "dispose uid:7"}));
  stop(auditd);
  const audit::VerifyReport report = verify();
  EXPECT_TRUE(report.complete()) << "lawfully gone";
  EXPECT_EQ(report.archives, 1U);
}

TEST_F(RetentionTest, ArchivesBesideItsCallerAndTellsHowItGoes) {
  auto auditd = serve(fill(5, 5));
  Archivist& archivist = *auditd->archivist();
  EXPECT_FALSE(archivist.run());
  ASSERT_TRUE(archivist.begin_archiving("uid:7"));
  EXPECT_EQ(archivist.begin_archiving("uid:8").error().code(), ErrorCode::conflict);
  ASSERT_TRUE(archivist.run() && !archivist.run()->outcome);
  const auto end = [](async::Loop& loop, Archivist& works) -> Task<void> {
    while (!works.run()->outcome) co_await loop.sleep_for(1ms);
  };
  loop_.run_until_done(end(loop_, archivist));
  EXPECT_EQ(archivist.run()->due, 2U);
  EXPECT_EQ(archivist.run()->archived, 2U);
  EXPECT_EQ(*archivist.run()->outcome, std::size_t{2});
  ASSERT_TRUE(archivist.begin_archiving("uid:7")) << "the next one";
  EXPECT_EQ(archivist.run()->archived, 0U);
  stop(auditd);
}

// Disposes of an archive when its folder is listed for the second time: once the journal is read.
class DisposingFiles final : public audit::PosixFiles {
 public:
  explicit DisposingFiles(std::function<void()> dispose) : dispose_(std::move(dispose)) {}
  Result<std::vector<std::string>> list(const std::string& directory) override {
    if (directory.ends_with(audit::kArchiveFolder) && ++listed_ == 2) dispose_();
    return audit::PosixFiles::list(directory);
  }

 private:
  std::function<void()> dispose_;
  int listed_ = 0;
};

TEST_F(RetentionTest, WhatIsDisposedOfWhileTheLogIsVerifiedIsNotMissing) {
  auto auditd = serve(fill(5, 5));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{2});
  set_clock_.add_days(400);
  ASSERT_TRUE(run(auditd->checkpoint_now()));
  const std::uint64_t first = list(*auditd)[0].first_sequence;
  const std::uint64_t second = list(*auditd)[1].first_sequence;
  DisposingFiles files([&] {
    ASSERT_EQ(*run(auditd->archivist()->dispose(first, set_clock_.now_ms(), "uid:7")),
              std::nullopt);
  });
  const audit::NoteKey key{"test.example/auditd/operator/2026", test_signer().public_key()};
  const auto report = audit::verify_audit(files, directory_, key.text(), set_clock_.now_us());
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->ok()) << report->bad->what;
  EXPECT_TRUE(report->unaccounted.empty());
  EXPECT_TRUE(report->complete());
  EXPECT_EQ(report->archives, 1U);
  stop(auditd);
  fs::remove(audit::archive_path(directory_, second));
  const audit::VerifyReport lacking = verify();
  EXPECT_FALSE(lacking.complete()) << "one that was not disposed of is missing";
}

// The only witness of the log says what time it is, and an operator disposes of archives.
class WitnessedLockTest : public RetentionTest {
 protected:
  WitnessedLockTest() { witnesses_ = {witness_}; }
  bool witness_says(Auditd& auditd, std::int64_t now_ms) {
    const auto logs = *audit::list_checkpoint_logs(files_, directory_);
    auto reader = *audit::LogReader::open(files_, directory_, logs.back());
    const std::string note = *reader.newest_note();
    std::string cosigned = note + audit::cosign(audit::parse_note(note)->text, now_ms / 1000,
                                                witness_.name, test_signer());
    return run(auditd.take_note(std::move(cosigned))).value().testimony == Testimony::witnessed;
  }
  std::string dispose(Auditd& auditd, std::uint64_t first_sequence) {
    http::Router router;
    add_admin_routes(router, [&auditd] { return &auditd; });
    http::Head head;
    head.method = http::Method::post;
    const std::string path = "/v1/archives/" + audit::archive_name(first_sequence) + "/dispose";
    head.path = path;
    const http::Peer peer{.identity = {}, .source = "unix", .uid = ::geteuid()};
    http::Request request(head, {}, peer, "id");
    const std::string body = run(router.dispatch(request)).body;
    const bool gone = !fs::exists(audit::archive_path(directory_, first_sequence));
    EXPECT_EQ(gone, body == R"({"disposed":true})") << body;
    return body.substr(0, body.find(','));
  }
  const std::string kept_ = R"({"disposed":false)";
  const std::string disposed_ = R"({"disposed":true})";
  const audit::NoteKey witness_{"witness.example/w1", test_signer().public_key(),
                                audit::NoteKeyType::cosignature};
};

TEST_F(WitnessedLockTest, AClockThatWasSetForwardUnlocksNothing) {
  auto auditd = serve(fill(5, 5));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{2});
  ASSERT_TRUE(run(auditd->checkpoint_now()));
  const auto listed = list(*auditd);
  const std::uint64_t one = listed[0].first_sequence;
  const std::uint64_t other = listed[1].first_sequence;
  const std::int64_t one_ms = listed[0].locked_until_ms();
  const std::int64_t other_ms = listed[1].locked_until_ms();
  ASSERT_GT(other_ms, one_ms + 1'000);

  set_clock_.add_ms(one_ms - 1 - set_clock_.now_ms());
  ASSERT_TRUE(witness_says(*auditd, one_ms + 1'000));
  EXPECT_EQ(dispose(*auditd, one), kept_) << "nor does a witness's alone";
  set_clock_.add_days(3'650);
  EXPECT_EQ(dispose(*auditd, other), kept_) << "the witness says otherwise";
  EXPECT_EQ(dispose(*auditd, one), disposed_) << "both say so";
  ASSERT_TRUE(witness_says(*auditd, other_ms - 1'000));
  EXPECT_EQ(dispose(*auditd, other), kept_);
  stop(auditd);

  auditd = serve(open(files_));
  EXPECT_EQ(auditd->attested_now_ms(), 0);
  EXPECT_EQ(dispose(*auditd, other), kept_) << "no witness has said since what time it is";
  ASSERT_TRUE(run(auditd->checkpoint_now()));
  ASSERT_TRUE(witness_says(*auditd, other_ms));
  EXPECT_EQ(dispose(*auditd, other), disposed_);
  stop(auditd);
}

TEST_F(RetentionTest, WhatWasChangedIsNotRestored) {
  auto auditd = serve(fill(5, 5));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{2});
  const auto listed = list(*auditd);
  const std::string path = audit::archive_path(directory_, listed[0].first_sequence);
  fs::copy_file(audit::archive_path(directory_, listed[1].first_sequence), path,
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(run(auditd->archivist()->restore(listed[0].first_sequence, "uid:7")).error().code(),
            ErrorCode::corrupt);
  EXPECT_EQ(log().entry(0).error().code(), ErrorCode::gone);
  EXPECT_EQ(acts().back(), "seal ") << "nothing was brought back";
  stop(auditd);
}

// The entries that tell of the first archives are in an archive themselves.
TEST_F(RetentionTest, VerifyKnowsArchivesWhoseEntriesAreArchived) {
  auto auditd = serve(fill(13, 20));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{10});
  const std::string snapshot = directory_ + "/snapshot";
  fs::copy_file(snapshot, folder_ + "/older");
  set_clock_.add_days(150);
  ASSERT_TRUE(run(auditd->archivist()->archive_due("uid:7")));  // begins a month, so a segment
  ASSERT_TRUE(run(auditd->archivist()->archive_due("uid:7")));
  const auto listed = list(*auditd);
  ASSERT_EQ(listed.size(), 13U);
  ASSERT_TRUE(run(auditd->checkpoint_now()));
  stop(auditd);
  const std::uint64_t locked = listed[9].first_sequence;
  const std::string path = audit::archive_path(directory_, locked);
  audit::VerifyReport report = verify();
  ASSERT_TRUE(report.ok()) << report.bad->what;
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.archives, 13U);

  fs::rename(path, directory_ + "/away");
  report = verify();
  ASSERT_TRUE(report.bad);
  EXPECT_EQ(report.bad->what, "a locked archive is gone");
  fs::copy_file(audit::archive_path(directory_, listed[1].first_sequence), path);
  report = verify();
  ASSERT_TRUE(report.bad);
  EXPECT_EQ(report.bad->what, "an archive is not the one that the log names");
  fs::remove(path);
  fs::rename(snapshot, directory_ + "/lost");
  for (const bool older : {false, true}) {
    if (older) fs::rename(folder_ + "/older", snapshot);  // genuine in its day
    report = verify();
    ASSERT_TRUE(report.ok()) << "nothing here tells of it";
    EXPECT_FALSE(report.complete() || report.archives_known);
    EXPECT_EQ(report.unvouched_archives.size(), 9U);
    ASSERT_EQ(report.unaccounted.size(), 1U);
    EXPECT_EQ(report.unaccounted[0].first_sequence, locked);
    EXPECT_EQ(report.unaccounted[0].last_sequence, listed[10].first_sequence - 1);
  }
  fs::rename(directory_ + "/away", path);
  EXPECT_FALSE(verify().complete()) << "all is here, and nothing says so";
  fs::rename(directory_ + "/lost", snapshot);
  EXPECT_TRUE(verify().complete());
  fs::copy_file(path, audit::archive_path(directory_, 2));
  report = verify();
  EXPECT_EQ(report.unvouched_archives, std::vector<std::uint64_t>{2});
  EXPECT_TRUE(report.archives_known && !report.complete());
}

TEST_F(RetentionTest, VerifyMissesTheSnapshotOfAJournalWithoutBeginning) {
  auto auditd = serve(fill(13, 20));
  ASSERT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{10});
  stop(auditd);
  ASSERT_TRUE(verify().complete());
  fs::remove(directory_ + "/snapshot");
  const audit::VerifyReport report = verify();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report.archives, 10U) << "the entries at hand tell of all of them, ...";
  EXPECT_TRUE(report.unvouched_archives.empty() && report.unaccounted.empty());
  EXPECT_FALSE(report.complete()) << "... but not that these are all";
}

TEST_F(RetentionTest, ClosesTheLastSegmentWhenAllOfItIsDue) {
  retention_ = {.at_hand_ms = 0, .keep_ms = 0};
  auto auditd = serve(fill(1, 5));
  EXPECT_EQ(run(auditd->archivist()->archive_due("uid:7")), std::size_t{2});
  EXPECT_EQ(segments().size(), 1U);
  EXPECT_EQ(log().entry(0).error().code(), ErrorCode::gone);
  const std::uint64_t first = list(*auditd)[0].first_sequence;
  EXPECT_FALSE(run(auditd->archivist()->dispose(first, set_clock_.now_ms(), "uid:7"))->has_value());
  stop(auditd);
}

}  // namespace
}  // namespace strongroom::auditd

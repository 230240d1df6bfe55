// Breaks of the log: one that auditd has signed for settles what a witness saw before it; one that
// somebody put onto the disk settles nothing.
#include <fstream>

#include "audit/checkpoint_files.h"
#include "audit/journal.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

using audit::Checkpoint;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kYearUs = 366 * 86'400 * kSecondUs;

// A store that has run.
class BreaksTest : public AuditdTest {
 protected:
  BreaksTest() {
    auto auditd = start();
    auto writer = connected_client();
    SR_CHECK(record(*writer, entry()));
    stop(*writer);
    stop(auditd);
  }

  std::string audit_folder() const { return folder_ + "/audit"; }
  std::vector<Checkpoint> last_signed() {
    return audit::read_last_signed(files_, audit_folder()).value();
  }
  Checkpoint operators() {
    const auto all = last_signed();
    return *std::ranges::find_if(all, [](const Checkpoint& checkpoint) {
      return checkpoint.origin.starts_with("test.example/auditd/operator/");
    });
  }
  // What a witness has that saw more than this store holds.
  std::string larger_note() {
    const Checkpoint ours = operators();
    return audit::sign_checkpoint({ours.origin, ours.size + 9, ours.root}, test_signer());
  }
  // Puts a break into the journal, as whoever may write to the disk can; gives its log's name.
  std::string forge_break(std::int64_t time_us) {
    const Checkpoint ours = operators();
    audit::Entry forged{.uid = crypto::new_entry_id(random_, clock_),
                        .event_type = audit::EventType::log_break,
                        .outcome = audit::Outcome::success,
                        .time_us = time_us,
                        .instance = "auditd",
                        .resources = {ours.origin},
                        .tree_size = ours.size,
                        .tree_root = ours.root,
                        .reason = "none"};
    const std::string json = audit::to_json(forged);
    auto reader = audit::JournalReader::open(files_, audit_folder()).value();
    while (reader.next().value()) continue;
    auto journal = audit::Journal::resume(files_, {.directory = audit_folder()}, reader).value();
    journal->stage(json);
    SR_CHECK(journal->commit());
    return audit::log_of_break(audit::break_time(audit::read_entry(json)->timestamp));
  }
  std::string notes_path(const std::string& log) const {
    return audit::checkpoint_path(audit_folder(), log);
  }
  void expect_refused_until_it_is_said_again() {
    auto auditd = start();
    EXPECT_TRUE(auditd->doubts_break());
    EXPECT_EQ(auditd->not_ready(), "it tells of a break that is not signed for");
    EXPECT_EQ(loop_.run_until_done(auditd->checkpoint_now()).value(), 0U);
    EXPECT_EQ(loop_.run_until_done(auditd->take_note(larger_note())).value().testimony,
              Testimony::rolled_back);
    stop(auditd);
    const std::size_t entries = journal().size();
    auditd = start();
    EXPECT_TRUE(auditd->doubts_break()) << "at the next start";
    EXPECT_TRUE(auditd->rolled_back()) << "the proof is kept";
    EXPECT_EQ(journal().size(), entries) << "not even log.start";
    EXPECT_TRUE(loop_.run_until_done(auditd->open_new_shards("disk lost, copy restored", "uid:7")));
    EXPECT_EQ(auditd->not_ready(), "");
    EXPECT_EQ(loop_.run_until_done(auditd->take_note(larger_note())).value().testimony,
              Testimony::settled);
    auto writer = connected_client();
    EXPECT_TRUE(record(*writer, entry()));
    stop(*writer);
    stop(auditd);
    const auto report = verify();
    EXPECT_TRUE(report.ok()) << report.bad->what;
    auditd = start();
    EXPECT_EQ(auditd->not_ready(), "") << "the break is signed for";
    stop(auditd);
  }
};

TEST_F(BreaksTest, AForgedOneIsRefused) {
  forge_break(clock_.now_us() - 10 * kSecondUs);
  expect_refused_until_it_is_said_again();
}

TEST_F(BreaksTest, AForgedOneOfLaterIsRefused) {
  forge_break(clock_.now_us() + kYearUs);
  expect_refused_until_it_is_said_again();
}

TEST_F(BreaksTest, CheckpointsOfOtherLogsAndTreesProveNothing) {
  const std::string log = forge_break(clock_.now_us() - 10 * kSecondUs);
  const Checkpoint ours = operators();
  const std::string origin = audit::log_origin("test.example/auditd", log);
  for (const Checkpoint& signed_for :
       {ours, Checkpoint{origin, 1, ours.root}, Checkpoint{origin, 9, ours.root},
        Checkpoint{origin, 0, audit::MerkleTree().root()}}) {
    std::ofstream(notes_path(log)) << audit::sign_checkpoint(signed_for, test_signer());
    EXPECT_TRUE(open_store()->witnessed.doubts_break()) << signed_for.size;
  }
}

TEST_F(BreaksTest, OneInAForgedSnapshotIsRefused) {
  {
    auto store = open_store().value();
    store.ledger->record_own({.event_type = audit::EventType::log_start});
    auto grown = store.ledger->take_grown(0);
    auto snapshot = store.ledger->take_snapshot(0).value();
    EXPECT_TRUE(store.checkpoints.publish(grown));
    snapshot.broken_at = "20261122T000000Z";
    EXPECT_TRUE(store.checkpoints.keep(snapshot));
  }
  expect_refused_until_it_is_said_again();
}

TEST_F(BreaksTest, OneThatIsSignedForSettlesWhatIsKeptOfBefore) {
  const std::string larger = larger_note();
  auto auditd = start();
  ASSERT_TRUE(loop_.run_until_done(auditd->open_new_shards("restored", "uid:7")));
  stop(auditd);
  // The end came between the break and the removal.
  const std::string evidence = audit_folder() + "/" + std::string(audit::kRolledBackName);
  std::ofstream(evidence) << larger;
  auditd = start();
  EXPECT_EQ(auditd->not_ready(), "");
  EXPECT_FALSE(fs::exists(evidence));
  stop(auditd);
}

Task<void> open_beside(Auditd& auditd, std::string note, Result<void>& opened) {
  bool heard = false;
  const auto hear = [](Auditd& hearing, std::string text, bool& done) -> Task<void> {
    EXPECT_TRUE(co_await hearing.take_note(std::move(text)));
    done = true;
  };
  async::spawn(hear(auditd, std::move(note), heard));
  opened = co_await auditd.open_new_shards("restored", "uid:7");
  while (!heard) EXPECT_TRUE(co_await auditd.checkpoint_now());
}

TEST_F(BreaksTest, WhatIsHeardMeanwhileIsSettledToo) {
  auto auditd = start();
  Result<void> opened;
  loop_.run_until_done(open_beside(*auditd, larger_note(), opened));
  EXPECT_TRUE(opened);
  EXPECT_EQ(auditd->not_ready(), "");
  auto writer = connected_client();
  EXPECT_TRUE(record(*writer, entry()));
  stop(*writer);
  stop(auditd);
}

}  // namespace
}  // namespace strongroom::auditd

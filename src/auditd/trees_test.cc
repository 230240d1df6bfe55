// The files of the trees beside a running auditd, after a restart, and when the disk does not take
// them.
#include "audit/checkpoint_files.h"
#include "audit/log_reader.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

class TreesTest : public AuditdTest {
 protected:
  std::string directory() const { return folder_ + "/audit"; }

  // What every log's newest checkpoint says is in its files, entry by entry.
  void expect_whole() {
    std::size_t entries = 0;
    const auto names = audit::list_logs(files_, directory());
    ASSERT_TRUE(names);
    for (const std::string& name : *names) {
      auto log = audit::LogReader::open(files_, directory(), name);
      ASSERT_TRUE(log);
      const audit::NoteKey key{audit::log_origin("test.example/auditd", name),
                               test_signer().public_key()};
      const auto verifier = audit::NoteVerifier::create(key);
      const auto checkpoint = audit::open_checkpoint(*log->newest_note(), *verifier);
      ASSERT_TRUE(checkpoint);
      EXPECT_EQ(*audit::tree_hash(*log, checkpoint->size), checkpoint->root);
      for (std::uint64_t i = 0; i < checkpoint->size; ++i) EXPECT_TRUE(log->entry(i)) << i;
      entries += checkpoint->size;
    }
    EXPECT_EQ(entries, journal().size());
  }

  std::map<std::string, std::string> contents() {
    std::map<std::string, std::string> contents;
    for (const auto& item : fs::recursive_directory_iterator(directory() + "/trees")) {
      if (!item.is_regular_file()) continue;
      contents.emplace(item.path(), *audit::read_text(files_, item.path(), 1 << 20));
    }
    return contents;
  }

  // An auditd's whole life with `count` entries in it.
  void run(int count) {
    auto auditd = start();
    auto writer = connected_client();
    for (int i = 0; i < count; ++i) EXPECT_TRUE(record(*writer, entry()));
    stop(*writer);
    stop(auditd);
  }
};

TEST_F(TreesTest, HoldWhatIsSignedFor) {
  run(300);
  expect_whole();
  run(10);
  expect_whole();
}

TEST_F(TreesTest, AreMadeAnewFromTheJournal) {
  run(300);
  const auto whole = contents();
  ASSERT_EQ(whole.size(), 5U);
  fs::remove_all(directory() + "/trees");
  ASSERT_TRUE(open_store());
  EXPECT_EQ(contents(), whole);
  for (const auto& [path, content] : whole) {
    std::string other = content;
    other.at(other.size() / 2) ^= 1;
    ASSERT_TRUE(files_.replace(path, as_bytes(other + "and more")));
    ASSERT_TRUE(open_store());
    EXPECT_EQ(contents(), whole) << path;
  }
}

Task<void> record_two(audit::Client& client, std::array<audit::Entry, 2> entries,
                      std::size_t& left) {
  for (const audit::Entry& entry : entries) (void)co_await client.record(entry);
  --left;
}

// More logs than are taken at a time, which grow while they are.
TEST_F(TreesTest, OfManyLogsAreTakenALittleAtATime) {
  auto auditd = start();
  auto writer = connected_client();
  constexpr std::size_t kLogs = 2 * kTakenLogs + 1;
  std::size_t left = kLogs;
  for (std::size_t i = 0; i < kLogs; ++i) {
    std::array<audit::Entry, 2> entries{entry(), entry()};
    for (audit::Entry& made : entries) made.merchant_id = "mer_x" + std::to_string(i);
    async::spawn(record_two(*writer, std::move(entries), left));
  }
  while (left > 0) EXPECT_TRUE(loop_.run_until_done(auditd->checkpoint_now()));
  stop(*writer);
  stop(auditd);
  expect_whole();
  EXPECT_TRUE(verify().ok());
}

TEST_F(TreesTest, OfALogThatTheJournalDoesNotHaveAreEmptied) {
  run(1);
  fs::copy(directory() + "/trees/mer_1-2026", directory() + "/trees/mer_9-2026");
  ASSERT_TRUE(open_store());
  EXPECT_EQ(fs::file_size(audit::level_path(directory(), "mer_9-2026", 0)), 0U);
}

TEST_F(TreesTest, ThatAreNotWrittenHoldUpTheirOwnCheckpointOnly) {
  auto checkpoints = Checkpoints::open(files_, directory(), "test.example/auditd", test_signer());
  ASSERT_TRUE(checkpoints);
  audit::LogGrowth growth{.old_size = 0, .levels = {{audit::Hash{}}}, .places = {{1, 32}}};
  std::vector<GrownLog> grown{{"mer_a-2026", {1, {}}, growth}, {"mer_b-2026", {1, {}}, growth}};
  fs::create_directories(audit::level_path(directory(), "mer_a-2026", 0));
  EXPECT_FALSE(checkpoints->publish(grown));
  ASSERT_EQ(grown.size(), 1U);
  EXPECT_EQ(grown[0].name, "mer_a-2026");
  EXPECT_FALSE(fs::exists(audit::checkpoint_path(directory(), "mer_a-2026")));
  ASSERT_EQ(checkpoints->last_signed().size(), 1U);
  fs::remove(audit::level_path(directory(), "mer_a-2026", 0));
  growth.old_size = 1;
  grown[0].growth.join(growth);
  grown[0].head.size = 2;
  EXPECT_TRUE(checkpoints->publish(grown));
  EXPECT_EQ(fs::file_size(audit::level_path(directory(), "mer_a-2026", 0)), 64U);
}

TEST_F(TreesTest, TooFarBehindStopTheJournal) {
  const Result<Store> store = open_store();
  const auto& ledger = store->ledger;
  const auto append = [&] {
    const std::string json = audit::to_json(entry(), "vaultd");
    Submission submission{"vaultd", json};
    ledger->append(std::span(&submission, 1));
    return submission.status;
  };
  EXPECT_EQ(append(), audit::EntryStatus::durable);
  EXPECT_EQ(ledger->take_grown(kUnwrittenEntriesMax - 1).size(), 1U);
  EXPECT_TRUE(ledger->accepting());
  EXPECT_EQ(append(), audit::EntryStatus::durable) << "the last one";
  EXPECT_FALSE(ledger->accepting());
  EXPECT_EQ(append(), audit::EntryStatus::unavailable);
  EXPECT_EQ(ledger->recover().error().code(), ErrorCode::unavailable);
  EXPECT_EQ(ledger->take_grown(0).size(), 1U);
  EXPECT_TRUE(ledger->accepting());
  EXPECT_EQ(append(), audit::EntryStatus::durable);
}

}  // namespace
}  // namespace strongroom::auditd

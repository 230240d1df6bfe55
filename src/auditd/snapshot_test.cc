// A start from a snapshot: the same state as one that reads the whole journal, and the whole
// journal whenever the snapshot does not fit.
#include "audit/snapshot.h"

#include "audit/snapshot_signature.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

class SnapshotTest : public AuditdTest {
 protected:
  std::string path() const { return folder_ + "/audit/snapshot"; }
  void open() {
    store_.reset();
    StoreOptions options = store_options();
    options.replay = &replay_;
    auto store = Store::open(files_, clock_, random_, options, test_signer());
    SR_CHECK(store.has_value());
    store_.emplace(*std::move(store));
  }
  Ledger& ledger() { return *store_->ledger; }
  audit::EntryStatus append(const audit::Entry& made) {
    const std::string text = audit::to_json(made, "vaultd");
    Submission submission{"vaultd", text};
    ledger().append(std::span(&submission, 1));
    return submission.status;
  }
  void publish(bool snapshot) {
    auto grown = ledger().take_grown(0);
    const auto taken = ledger().take_snapshot(0);
    EXPECT_TRUE(store_->checkpoints.publish(grown));
    if (snapshot) {
      EXPECT_TRUE(store_->checkpoints.keep(*taken));
    }
  }
  // Segment 1 holds, signed for: a closed and an open intent, and after the snapshot one entry.
  void fill() {
    open();
    ledger().record_own({.event_type = audit::EventType::log_start});
    EXPECT_EQ(append(closed_), audit::EntryStatus::durable);
    EXPECT_EQ(append(open_), audit::EntryStatus::durable);
    EXPECT_EQ(append(outcome_), audit::EntryStatus::durable);
    publish(true);
    EXPECT_EQ(append(later_), audit::EntryStatus::durable);
    publish(false);
  }
  std::vector<OperationId> ended() {
    std::vector<OperationId> ids;
    for (const audit::Entry& each : journal()) {
      const bool ends = each.event_type == audit::EventType::log_failure &&
                        each.outcome == audit::Outcome::success;
      if (ends) ids.push_back(each.operation_id);
    }
    return ids;
  }
  void expect_all_known() {
    for (const audit::Entry& made : {closed_, open_, outcome_, later_}) {
      EXPECT_EQ(append(made), audit::EntryStatus::repeated);
    }
    ASSERT_EQ(ledger().open_intents("vaultd").size(), 1U);
    EXPECT_EQ(ledger().open_intents("vaultd")[0], audit::to_json(open_, "vaultd"));
    EXPECT_EQ(ledger().log_sizes(),
              (std::map<std::string, std::uint64_t>{{"mer_1-2026", 4}, {"operator-2026", 1}}));
  }

  audit::Entry at_2026(audit::Phase phase) {
    audit::Entry made = entry(phase);
    made.time_us = 1'795'298'400'000'000;
    return made;
  }

  Replay replay_;
  std::optional<Store> store_;
  audit::Entry closed_ = at_2026(audit::Phase::intent), open_ = at_2026(audit::Phase::intent);
  audit::Entry outcome_ = outcome_for(closed_), later_ = at_2026(audit::Phase::single);
};

TEST_F(SnapshotTest, SparesTheReadingOfWhatItHolds) {
  fill();
  open();
  const std::uint64_t tail = replay_.bytes_read;  // of the journal
  expect_all_known();
  fs::remove(path());
  open();
  EXPECT_GT(replay_.bytes_read, tail + 2'000);
  expect_all_known();
  const auto report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
}

TEST_F(SnapshotTest, KnowsWhatFails) {
  open();
  ledger().begin_failure("checkpoints", "they are not signed", clock_.now_us());
  const OperationId id = journal().at(0).operation_id;
  publish(true);
  open();
  ledger().write_waiting();
  EXPECT_EQ(ended(), std::vector{id});
}

TEST_F(SnapshotTest, IsNotUsedWhenItDoesNotFit) {
  fill();
  open();
  const std::uint64_t tail = replay_.bytes_read;  // of the journal
  const std::string whole = *audit::read_text(files_, path(), 1 << 20);
  for (std::size_t at = 0; at < whole.size(); at += 37) {
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 1);
    ASSERT_TRUE(files_.replace(path(), as_bytes(other)));
    open();
    ASSERT_GT(replay_.bytes_read, tail) << at;
    ASSERT_TRUE(files_.replace(path(), as_bytes(whole.substr(0, at))));
    open();
    ASSERT_GT(replay_.bytes_read, tail) << at;
  }
  expect_all_known();
  ASSERT_TRUE(files_.replace(path(), as_bytes(whole)));
  for (const char* tree : {"places", "level-0"}) {
    fs::resize_file(folder_ + "/audit/trees/mer_1-2026/" + tree, 12);
    open();
    EXPECT_GT(replay_.bytes_read, tail) << tree;
    EXPECT_GT(fs::file_size(folder_ + "/audit/trees/mer_1-2026/" + tree), 40U);
    open();
    EXPECT_EQ(replay_.bytes_read, tail);
  }
}

TEST_F(SnapshotTest, OfAnotherHistoryIsNotUsed) {
  fill();
  store_.reset();
  const std::string other = *audit::read_text(files_, path(), 1 << 20);
  fs::remove_all(folder_ + "/audit");
  fs::create_directory(folder_ + "/audit");
  closed_ = at_2026(audit::Phase::intent), open_ = at_2026(audit::Phase::intent);
  outcome_ = outcome_for(closed_), later_ = at_2026(audit::Phase::single);
  fill();
  ASSERT_TRUE(files_.replace(path(), as_bytes(other)));
  open();
  expect_all_known();
}

// The zeros ahead of a journal that was cut look like its end wherever one begins to read.
TEST_F(SnapshotTest, IsNotUsedOnAJournalThatLacksItsLastEntry) {
  fill();
  open();
  const std::uint64_t tail = replay_.bytes_read;
  const auto bytes = *audit::read_text(files_, path(), 1 << 20);
  auto snapshot = *audit::parse_snapshot(as_bytes(bytes));
  for (const auto change : {0, 1, 2, 3}) {
    audit::Snapshot other = snapshot;
    if (change == 0) other.last_frame.offset_bytes += 4'096;
    if (change == 1) other.last_frame.segment_first_sequence = 7;
    if (change == 2) ++other.last_sequence;
    if (change == 3) other.last_leaf[0] ^= std::byte{1};
    ASSERT_TRUE(files_.replace(path(), audit::encode_snapshot(other, test_signer())));
    open();
    EXPECT_GT(replay_.bytes_read, tail) << change;
    expect_all_known();
  }
}

// All of it is as auditd would have it, but for one uid: an entry could be repeated.
TEST_F(SnapshotTest, IsNotUsedWithoutTheSignatureOfAuditdsKey) {
  fill();
  open();
  const std::uint64_t tail = replay_.bytes_read;
  const std::string whole = *audit::read_text(files_, path(), 1 << 20);
  EXPECT_TRUE(audit::snapshot_is_signed(as_bytes(whole), test_signer().public_key()));
  auto forged = *audit::parse_snapshot(as_bytes(whole));
  for (auto& writer : forged.writers) writer.uids.clear();
  const auto stranger = *crypto::Ed25519Signer::generate(random_);
  ASSERT_TRUE(files_.replace(path(), audit::encode_snapshot(forged, stranger)));
  open();
  EXPECT_GT(replay_.bytes_read, tail);
  expect_all_known();
}

TEST_F(SnapshotTest, IsSignedForNothingElse) {
  const auto signer = test_signer();
  const std::vector<std::byte> bytes = audit::encode_snapshot({}, signer);
  const auto content = std::span(bytes).first(bytes.size() - 64);
  const auto digest = crypto::sha256(content);
  const auto signature = std::span(bytes).last(64);
  EXPECT_FALSE(crypto::ed25519_verify(signer.public_key(), digest, signature));
  EXPECT_FALSE(crypto::ed25519_verify(signer.public_key(), content, signature));
}

TEST_F(SnapshotTest, HidesNoJournalThatIsShorter) {
  fill();
  store_.reset();
  const std::string segment = folder_ + "/audit/" + audit::segment_name(1);
  for (const std::uint64_t size : {40U, 1'000U, 2'000U}) {
    fs::resize_file(segment, size);
    EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt) << size;
  }
  fs::remove(segment);
  EXPECT_EQ(open_store().error().code(), ErrorCode::corrupt);
}

TEST_F(SnapshotTest, IsTakenWhenThereIsEnoughToSpare) {
  open();
  ledger().record_own({.event_type = audit::EventType::log_start});
  (void)ledger().take_grown(0);
  EXPECT_FALSE(ledger().take_snapshot(100'000));
  EXPECT_TRUE(ledger().take_snapshot(100));
  EXPECT_FALSE(ledger().take_snapshot(100)) << "since the last";
  ledger().lose_snapshot();
  EXPECT_TRUE(ledger().take_snapshot(100)) << "the last was not kept";
}

}  // namespace
}  // namespace strongroom::auditd

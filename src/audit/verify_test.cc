// Verification of a log that is in order, and of every way to tamper with one.
#include "audit/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "audit/checkpoint_files.h"
#include "audit/testing/verify_fixture.h"

namespace strongroom::audit {
namespace {

using testing::kEntryTimeUs;
using testing::kPlace;
namespace fs = std::filesystem;

class VerifyTest : public testing::VerifyFixture {};

TEST_F(VerifyTest, AcceptsALogInOrder) {
  fill();
  append({entry("mer_2"), entry("mer_3")}, false);
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << report.bad->what;
  EXPECT_EQ(report.entries, 7U);
  EXPECT_EQ(report.logs, 4U);
  EXPECT_EQ(report.checkpoints, 5U);
  EXPECT_EQ(report.unsigned_entries, 2U);
  EXPECT_EQ(report.segments, 1U);
}

TEST_F(VerifyTest, AnEmptyFolderIsNoLog) { EXPECT_FALSE(verify().ok()); }

// Whoever may write to the folder can make up entries, but no signature.
TEST_F(VerifyTest, WantsASignatureForWhatIsOlderThanMinutes) {
  fill();
  append({entry("mer_2")}, false);
  EXPECT_TRUE(verify().ok());
  now_us_ = kEntryTimeUs + kUnsignedAgeMaxUs + 1'000'000;
  VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "entries of more than five minutes ago are not signed for");
  EXPECT_EQ(report.bad->log, "mer_2-2026");
  EXPECT_EQ(report.bad->sequence, 6U);
  sign_all();
  EXPECT_TRUE(verify().ok());
}

// Such an end is auditd's to cut only where nobody was told of what stood there.
TEST_F(VerifyTest, ATornEndIsNoneWhereItWasSignedFor) {
  fill();
  const std::string segment = path(segment_name(1));
  const std::size_t signed_bytes = read(segment).find_last_not_of('\0');
  append({entry("mer_2")}, false);
  const std::size_t end = read(segment).find_last_not_of('\0');
  ASSERT_GT(end, signed_bytes);
  flip(segment, end - 10);
  VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_TRUE(report.bad->torn && report.bad->behind_signed);
  EXPECT_EQ(report.bad->sequence, 6U);
  now_us_ = kEntryTimeUs + kUnsignedAgeMaxUs + 1'000'000;
  EXPECT_TRUE(verify().bad->torn) << "the crash may be a while ago";
  sign_all();
  report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_FALSE(report.bad->torn || report.bad->behind_signed);
  EXPECT_EQ(report.bad->what, "journal holds a damaged frame");
}

TEST_F(VerifyTest, CatchesCheckpointsThatAreGone) {
  fill();
  now_us_ = kEntryTimeUs + kUnsignedAgeMaxUs + 1'000'000;
  fs::remove(path("checkpoints/operator-2026.log"));
  EXPECT_FALSE(verify().ok());
  for (const auto& file : fs::directory_iterator(path("checkpoints"))) fs::remove(file);
  EXPECT_FALSE(verify().ok());
  fs::remove(path("last-signed"));
  EXPECT_EQ(verify().bad->what, "record of the last signed checkpoints is gone");
  write(path("last-signed"), "");
  EXPECT_FALSE(verify().ok());
}

TEST_F(VerifyTest, ListsOpenIntents) {
  Entry intent = entry();
  intent.phase = Phase::intent;
  intent.outcome = Outcome::none;
  Entry other = intent;
  other.operation_id = crypto::new_operation_id(random_, clock_);
  Entry done = outcome_of(other, Outcome::done, crypto::new_entry_id(random_, clock_), 0);
  append({intent, other, done}, true);
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok());
  ASSERT_EQ(report.open_intent_count, 1U);
  EXPECT_EQ(report.open_intents[0].operation_id, intent.operation_id);
  EXPECT_EQ(report.open_intents[0].instance, "vaultd");
  EXPECT_EQ(report.open_intents[0].sequence, 1U);
}

TEST_F(VerifyTest, NamesEveryFlippedByteOfTheJournal) {
  fill();
  const std::string name = segment_name(1);
  const std::string good = read(path(name));
  for (std::size_t i = 0; i < good.size(); i += 31) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    write(path(name), bytes);
    const VerifyReport report = verify();
    ASSERT_FALSE(report.ok()) << i;
    EXPECT_EQ(report.bad->file, name);
    EXPECT_LE(report.bad->offset_bytes, i);
    EXPECT_EQ(report.bad->sequence, report.entries + 1);
  }
}

TEST_F(VerifyTest, NamesEveryFlippedByteOfTheCheckpoints) {
  fill();
  ASSERT_EQ(verify().checkpoints, 5U);
  for (const std::string& name :
       {std::string("checkpoints/operator-2026.log"), std::string("checkpoints/mer_1-2026.log"),
        std::string("last-signed")}) {
    const std::string good = read(path(name));
    for (std::size_t i = 0; i < good.size(); i += 3) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(bytes[i] ^ 1);
      write(path(name), bytes);
      const VerifyReport report = verify();
      // A last note that is no whole one looks like a write that a crash cut; it does not count.
      EXPECT_TRUE(!report.ok() || report.checkpoints < 5) << name << " " << i;
    }
    write(path(name), good);
  }
}

// With the hash in the tree's file made to fit, only the signed root tells, and not which entry.
TEST_F(VerifyTest, CatchesAChangedEntryWithARightCrcByTheRoot) {
  fill();
  rewrite([&](std::vector<std::string>& entries) {
    entries[2].replace(entries[2].find("someone"), 7, "nobody.");
    const Hash leaf = leaf_hash(as_bytes(entries[2]));
    const std::string file = path("trees/mer_1-2026/level-0");
    write(file, read(file).substr(0, sizeof(Hash)) + std::string(as_text(leaf)));
  });
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "entries differ from those that were signed for");
  EXPECT_EQ(report.bad->log, "mer_1-2026");
  EXPECT_EQ(report.bad->index_begin, 1U);
  EXPECT_EQ(report.bad->index_end, 2U);
  EXPECT_EQ(report.bad->sequence, 3U);
}

TEST_F(VerifyTest, CatchesARemovedAnExchangedAndAnInventedEntry) {
  fill();
  const std::string good = read(path(segment_name(1)));
  rewrite([](auto& entries) { entries.erase(entries.begin() + 1); });
  EXPECT_FALSE(verify().ok());
  write(path(segment_name(1)), good);
  rewrite([](auto& entries) { std::swap(entries[1], entries[2]); });
  EXPECT_FALSE(verify().ok());
  write(path(segment_name(1)), good);
  rewrite([&](auto& entries) { entries.insert(entries.begin(), to_json(entry())); });
  EXPECT_FALSE(verify().ok());
}

TEST_F(VerifyTest, CatchesACutJournal) {
  fill();
  rewrite([](auto& entries) { entries.pop_back(); });
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->what, "journal is older than its last signed checkpoint");
  EXPECT_EQ(report.bad->log, "operator-2026");
  EXPECT_EQ(report.bad->index_begin, 1U);
  EXPECT_EQ(report.bad->index_end, 2U);
}

TEST_F(VerifyTest, CatchesALostRecordAndAnotherKey) {
  fill();
  fs::rename(path("last-signed"), path("aside"));
  EXPECT_FALSE(verify().ok());
  fs::rename(path("aside"), path("last-signed"));
  EXPECT_TRUE(verify().ok());
  signer_ = *crypto::Ed25519Signer::generate(random_);
  EXPECT_FALSE(verify().ok());
}

TEST_F(VerifyTest, NamesARecordedCheckpointThatIsNotTrue) {
  for (const bool wrong_root : {false, true}) {
    Entry recorded = entry();
    recorded.event_type = EventType::log_checkpoint;
    recorded.instance = "auditd";
    recorded.resources = {log_origin(kPlace, "mer_1-2026")};
    append({entry("mer_1")}, false);
    const Log* log = logs_.find("mer_1-2026");
    recorded.tree_size = log->tree.size();
    recorded.tree_root = log->tree.root();
    append({recorded}, true);
    EXPECT_TRUE(verify().ok());
    if (!wrong_root) recorded.tree_size = *recorded.tree_size + 1;
    if (wrong_root) recorded.tree_root->at(0) ^= std::byte{1};
    append({recorded}, true);
    const VerifyReport report = verify();
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.bad->what, "a recorded checkpoint differs from its log");
    EXPECT_EQ(report.bad->sequence, 3U);
    EXPECT_EQ(report.bad->log, "operator-2026");
    if (!wrong_root) start_anew();
  }
}

// A journal that is written while it is read: the first looks at its second page come too early,
// although what stands behind it is there already.
class HastyFiles final : public Files {
 public:
  class HastyFile final : public File {
   public:
    HastyFile(std::unique_ptr<File> inner, int* early) : inner_(std::move(inner)), early_(early) {}
    Result<std::uint64_t> size() override { return inner_->size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
      const auto got = inner_->read(offset, out);
      if (!got || *early_ == 0 || offset >= kTo || offset + *got <= kFrom) return got;
      --*early_;
      const std::size_t from = kFrom - std::min(offset, kFrom);
      std::ranges::fill(out.subspan(from, std::min<std::size_t>(*got, kTo - offset) - from),
                        std::byte{0});
      return got;
    }
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      return inner_->write(offset, bytes);
    }
    Result<void> sync() override { return inner_->sync(); }
    Result<void> truncate(std::uint64_t size) override { return inner_->truncate(size); }

   private:
    static constexpr std::uint64_t kFrom = 4096, kTo = 8192;
    std::unique_ptr<File> inner_;
    int* early_;
  };

  explicit HastyFiles(int early) : early_(early) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    auto file = inner_.open(path, mode);
    if (!file || !path.contains("journal-")) return file;
    return std::make_unique<HastyFile>(*std::move(file), &early_);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return inner_.list(directory);
  }
  Result<std::vector<std::string>> list_folders(const std::string& directory) override {
    return inner_.list_folders(directory);
  }
  Result<void> make_folder(const std::string& path) override { return inner_.make_folder(path); }
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override {
    return inner_.replace(path, bytes);
  }
  Result<void> sync_all(const std::string& path) override { return inner_.sync_all(path); }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> sync_directory(const std::string& directory) override {
    return inner_.sync_directory(directory);
  }

 private:
  PosixFiles inner_;
  int early_;
};

TEST_F(VerifyTest, LooksAgainAtWhatIsWrittenMeanwhile) {
  for (int i = 0; i < 60; ++i) append({entry("mer_1")}, false);
  sign_all();
  ASSERT_GT(fs::file_size(path(segment_name(1))), 3U * 4096);
  const NoteKey key{log_origin(kPlace, "operator-2026"), signer_.public_key()};
  for (const int early : {1, 2, 3, 4}) {
    HastyFiles files(early);
    const auto report = verify_audit(files, folder_, key.text(), now_us_);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok()) << report->bad->what << " after " << early << " early looks";
  }
  HastyFiles never(1'000);
  EXPECT_FALSE(verify_audit(never, folder_, key.text(), now_us_)->ok());
}

// auditd signs for an entry that came when the journal was read already: as the file of checkpoints
// is opened for the last time.
class SignedMeanwhile final : public PosixFiles {
 public:
  SignedMeanwhile(std::string file, std::string note)
      : file_(std::move(file)), note_(std::move(note)) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (path == file_ && ++opened == add_at) std::ofstream(file_, std::ios::app) << note_;
    return PosixFiles::open(path, mode);
  }
  int opened = 0;
  int add_at = 0;

 private:
  std::string file_, note_;
};

TEST_F(VerifyTest, ToleratesWhatIsSignedMeanwhile) {
  fill();
  const NoteKey key{log_origin(kPlace, "operator-2026"), signer_.public_key()};
  const Checkpoint next{log_origin(kPlace, "operator-2026"), 3, Hash{}};
  SignedMeanwhile files(path("checkpoints/operator-2026.log"), sign_checkpoint(next, signer_));
  ASSERT_TRUE(verify_audit(files, folder_, key.text(), now_us_)->ok());
  files.add_at = 2 * files.opened;
  const auto report = verify_audit(files, folder_, key.text(), now_us_);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->ok()) << report->bad->what;
  EXPECT_FALSE(verify_audit(files, folder_, key.text(), now_us_)->ok()) << "now it was there";
}

TEST_F(VerifyTest, CatchesWhatIsNotAnEntry) {
  fill();
  rewrite([](auto& entries) { entries[4] = "{}"; });
  const VerifyReport report = verify();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.bad->sequence, 5U);
}

TEST_F(VerifyTest, ToleratesACheckpointThatACrashCutShort) {
  fill();
  const std::string file = path("checkpoints/operator-2026.log");
  const std::string good = read(file);
  const Checkpoint next{log_origin(kPlace, "operator-2026"), 3, Hash{}};
  const std::string note = sign_checkpoint(next, signer_);
  for (std::size_t size = 1; size < note.size(); ++size) {
    write(file, good + note.substr(0, size));
    EXPECT_TRUE(verify().ok()) << size;
  }
}

TEST_F(VerifyTest, ReportsProgressToTheEnd) {
  fill();
  VerifyProgress last;
  const NoteKey key{log_origin(kPlace, "operator-2026"), signer_.public_key()};
  ASSERT_TRUE(verify_audit(files_, folder_, key.text(), now_us_,
                           [&](const VerifyProgress& p) { last = p; }));
  EXPECT_EQ(last.entries, 5U);
  EXPECT_GT(last.bytes_done, 0U);
  EXPECT_LE(last.bytes_done, last.bytes_total);
}

TEST_F(VerifyTest, RefusesWhatIsNoKeyAndNoFolder) {
  EXPECT_EQ(verify_audit(files_, folder_, "x", now_us_).error().code(),
            ErrorCode::invalid_argument);
  const NoteKey key{"short/2026", signer_.public_key()};
  EXPECT_EQ(verify_audit(files_, folder_, key.text(), now_us_).error().code(),
            ErrorCode::invalid_argument);
  const NoteKey good{log_origin(kPlace, "operator-2026"), signer_.public_key()};
  EXPECT_EQ(verify_audit(files_, folder_ + "/none", good.text(), now_us_).error().code(),
            ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::audit

// Thirteen months of a log: what is old goes into archives, comes back when it is asked for, can be
// proved then, and leaves only when its lock is over; and a kill at any write loses nothing.
#include "audit/archive.h"
#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/note.h"
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

constexpr std::string_view kLog = "mer_1-2026";

class SetClock final : public Clock {
 public:
  void set(std::string_view time) { now_us_ = *parse_rfc3339(time); }
  void add_days(std::int64_t days) { now_us_ += days * kDayMs * 1000; }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_; }
  [[nodiscard]] std::int64_t now_ms() const { return now_us_ / 1000; }

 private:
  std::atomic<std::int64_t> now_us_{*parse_rfc3339("2026-01-05T10:00:00.000Z")};
};

crypto::Aead archive_key() {
  const std::vector<std::byte> bytes(crypto::Aead::kKeySize, std::byte{7});
  return *crypto::Aead::create(*SecretBytes::copy_of(bytes), 1);
}

// PosixFiles of a process that is killed at the n-th change it makes to the disk.
class DyingFiles final : public audit::Files {
 public:
  explicit DyingFiles(int changes) : left_(changes) {}
  void kill_after(int changes) { left_ = changes; }
  [[nodiscard]] bool dead() const { return left_ < 0; }

  Result<std::unique_ptr<audit::File>> open(const std::string& path,
                                            audit::OpenMode mode) override {
    if (mode == audit::OpenMode::create) SR_CHECK_OK(change());
    SR_TRY(auto file, files_.open(path, mode));
    return std::make_unique<DyingFile>(std::move(file), *this);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return files_.list(directory);
  }
  Result<std::vector<std::string>> list_folders(const std::string& directory) override {
    return files_.list_folders(directory);
  }
  Result<void> make_folder(const std::string& path) override {
    SR_CHECK_OK(change());
    return files_.make_folder(path);
  }
  Result<void> replace(const std::string& path, std::span<const std::byte> bytes) override {
    SR_CHECK_OK(change());
    return files_.replace(path, bytes);
  }
  Result<void> remove(const std::string& path) override {
    SR_CHECK_OK(change());
    return files_.remove(path);
  }
  Result<void> sync_all(const std::string& path) override { return files_.sync_all(path); }
  Result<void> sync_directory(const std::string& path) override {
    SR_CHECK_OK(change());
    return files_.sync_directory(path);
  }

 private:
  class DyingFile final : public audit::File {
   public:
    DyingFile(std::unique_ptr<audit::File> file, DyingFiles& disk)
        : file_(std::move(file)), disk_(disk) {}
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
      return file_->read(offset, out);
    }
    // The last write gets half way.
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      const Result<void> alive = disk_.change();
      if (!alive && disk_.left_ == -1) (void)file_->write(offset, bytes.first(bytes.size() / 2));
      SR_CHECK_OK(alive);
      return file_->write(offset, bytes);
    }
    Result<void> sync() override {
      SR_CHECK_OK(disk_.change());
      return file_->sync();
    }
    Result<void> truncate(std::uint64_t size) override {
      SR_CHECK_OK(disk_.change());
      return file_->truncate(size);
    }

   private:
    std::unique_ptr<audit::File> file_;
    DyingFiles& disk_;
  };
  Result<void> change() {
    if (left_ > 0) {
      --left_;
      return {};
    }
    left_ = left_ == 0 ? -1 : -2;
    return fail({ErrorCode::unavailable, "the process is dead"});
  }

  audit::PosixFiles files_;
  std::atomic<int> left_;
};

class RetentionTest : public AuditdTest {
 protected:
  Store open(audit::Files& files) {
    StoreOptions options = store_options();
    options.journal.zero_ahead_bytes = 0;  // fewer writes
    auto store = Store::open(files, set_clock_, random_, options, test_signer());
    SR_CHECK(store.has_value());
    return *std::move(store);
  }
  std::unique_ptr<Auditd> serve(Store store) {
    AuditdOptions options{.socket_path = socket_, .users = {}, .checkpoint_interval = 1h};
    options.archive_key = archive_key();
    options.retention = retention_;
    auto auditd = Auditd::start(loop_, std::move(store), metrics_, std::move(options));
    SR_CHECK(auditd.has_value());
    return *std::move(auditd);
  }
  // An entry a day for so many months, the clock's and the following ones.
  Store fill(int months, int entries) {
    Store store = open(files_);
    for (int month = 0; month < months; ++month) {
      for (int i = 0; i < entries; ++i) {
        audit::Entry made = entry();
        made.time_us = set_clock_.now_us();
        const std::string json = audit::to_json(made, "vaultd");
        Submission submission{"vaultd", json};
        store.ledger->append(std::span(&submission, 1));
        SR_CHECK(submission.status == audit::EntryStatus::durable);
        set_clock_.add_days(1);
      }
      set_clock_.add_days(30 - entries);
    }
    return store;
  }
  std::vector<std::string> segments() { return *audit::list_segments(files_, directory_); }
  audit::LogReader log() { return *audit::LogReader::open(files_, directory_, std::string(kLog)); }
  bool proves(std::uint64_t index) {
    auto reader = log();
    const auto entry = reader.entry(index);
    const auto note = audit::parse_note(*reader.newest_note());
    const audit::NoteKey key{"test.example/auditd/mer_1/2026", test_signer().public_key()};
    const auto head =
        audit::open_checkpoint(*reader.newest_note(), *audit::NoteVerifier::create(key));
    if (!entry || !note || !head) return false;
    const auto proof = audit::inclusion_proof(reader, index, head->size);
    return proof && audit::verify_inclusion(audit::leaf_hash(*entry), index, *proof, head->head());
  }
  template <class T>
  T run(Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  std::vector<Archivist::Listed> list(Auditd& auditd) { return *run(auditd.archivist()->list()); }
  // What the log.archive entries at hand say: act and user.
  std::vector<std::string> acts() {
    std::vector<std::string> lines;
    const auto closed = *audit::closed_segments(files_, directory_);
    auto reader = *audit::JournalReader::open(files_, directory_);
    const std::uint64_t first = closed.front().first_sequence;
    SR_CHECK(reader.start_at_segment(first).has_value());
    for (auto frame = *reader.next(); frame; frame = *reader.next()) {
      const audit::Entry made = *audit::parse_entry(as_text(frame->entry));
      if (made.event_type != audit::EventType::log_archive) continue;
      lines.push_back(made.operation + " " + made.user);
    }
    return lines;
  }

  SetClock set_clock_;
  RetentionSettings retention_;
  const std::string directory_ = folder_ + "/audit";
};

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
}

TEST_F(RetentionTest, AClockThatWasSetForwardUnlocksNothing) {
  const audit::NoteKey witness{"witness.example/w1", test_signer().public_key(),
                               audit::NoteKeyType::cosignature};
  witnesses_ = {witness};
  auto auditd = serve(fill(5, 5));
  EXPECT_EQ(auditd->attested_now_ms(), 0) << "no witness has said what time it is";
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
  stop(auditd);
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

TEST_F(RetentionTest, AKillAtAnyWriteLosesNothing) {
  retention_ = {.at_hand_ms = 0};
  {
    Store store = fill(1, 5);
    auto auditd = serve(std::move(store));
    stop(auditd);
  }
  const std::string kept = folder_ + "/kept";
  fs::copy(directory_, kept, fs::copy_options::recursive);
  bool died = true;
  for (int changes = 0; died; ++changes) {
    SCOPED_TRACE(changes);
    fs::remove_all(directory_);
    fs::copy(kept, directory_, fs::copy_options::recursive);
    {
      DyingFiles dying(1'000'000);
      auto auditd = serve(open(dying));
      ASSERT_TRUE(run(auditd->checkpoint_now()));
      dying.kill_after(changes);
      const auto made = run(auditd->archivist()->archive_due("uid:7"));
      died = dying.dead();
      EXPECT_NE(made.has_value(), died);
      dying.kill_after(0);  // the stop does not mend it
      stop(auditd);
    }
    auto auditd = serve(open(files_));
    ASSERT_TRUE(run(auditd->archivist()->archive_due("uid:7")));
    for (const Archivist::Listed& listed : list(*auditd)) {
      ASSERT_TRUE(run(auditd->archivist()->restore(listed.first_sequence, "uid:7")));
    }
    for (std::uint64_t index = 0; index < 5; ++index) EXPECT_TRUE(proves(index)) << index;
    stop(auditd);
  }
}

}  // namespace
}  // namespace strongroom::auditd

// auditd when its disk is full, and when a crash left the end of a write.
#include "auditd/testing/auditd_fixture.h"

namespace strongroom::auditd {
namespace {

// PosixFiles whose writes fail while `full` is set.
class FillingFiles final : public audit::Files {
 public:
  std::atomic<bool> full{false};

  Result<std::unique_ptr<audit::File>> open(const std::string& path,
                                            audit::OpenMode mode) override {
    SR_TRY(auto file, files_.open(path, mode));
    return std::make_unique<FillingFile>(std::move(file), full);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return files_.list(directory);
  }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }
  Result<void> sync_directory(const std::string& path) override {
    return files_.sync_directory(path);
  }

 private:
  class FillingFile final : public audit::File {
   public:
    FillingFile(std::unique_ptr<audit::File> file, const std::atomic<bool>& full)
        : file_(std::move(file)), full_(full) {}
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
      return file_->read(offset, out);
    }
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      if (full_) return fail({ErrorCode::unavailable, "no space left"});
      return file_->write(offset, bytes);
    }
    Result<void> sync() override { return file_->sync(); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }

   private:
    std::unique_ptr<audit::File> file_;
    const std::atomic<bool>& full_;
  };
  audit::PosixFiles files_;
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
  EXPECT_FALSE(auditd->ready());
  const audit::Entry outcome = outcome_for(before);
  writer->send(outcome);
  disk.full = false;
  EXPECT_TRUE(loop_.run_until_done(becomes(loop_, *writer, true)));
  EXPECT_TRUE(auditd->ready());
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

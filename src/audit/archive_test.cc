// Archives of a small journal with two logs: what goes in comes out, and no byte of one may change.
#include "audit/archive.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "audit/archive_evidence.h"
#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_view.h"
#include "audit/journal.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/testing/golden.h"
#include "audit/tree_files.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

const std::string kPlace = "test.example/auditd";
constexpr std::size_t kFileBytesMax = std::size_t{1} << 24;
constexpr std::int64_t kFirstMs = 1'767'225'600'000;  // 2026-01-01

crypto::Aead archive_key(std::uint8_t byte = 7) {
  const std::vector<std::byte> bytes(crypto::Aead::kKeySize, std::byte{byte});
  return *crypto::Aead::create(*SecretBytes::copy_of(bytes), 1);
}

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() {
    fs::create_directory(folder_ + "/checkpoints");
    auto reader = JournalReader::open(files_, folder_);
    SR_CHECK(reader && !reader->next()->has_value());
    journal_ = *Journal::resume(
        files_, {.directory = folder_, .segment_bytes_max = 50'000, .zero_ahead_bytes = 1'000},
        *reader);
  }
  ~ArchiveTest() override { fs::remove_all(folder_); }

  std::string entry(const std::string& merchant, EventType type = EventType::token_lookup) {
    Entry made{.event_type = type,
               .outcome = Outcome::success,
               .time_us = (kFirstMs + count_++ * 1'000) * 1'000,
               .instance = "auditd",
               .merchant_id = merchant};
    random_.fill(made.uid.bytes);
    return to_json(made);
  }
  void append(std::span<const std::string> group) {
    for (const std::string& json : group) journal_->stage(json);
    SR_CHECK(journal_->commit().has_value());
    for (std::size_t i = 0; i < group.size(); ++i) {
      const auto view = read_entry(group[i]);
      SR_CHECK(view.has_value());
      logs_.append(logs_.of(*view), *view, leaf_hash_of_input(journal_->leaf_input(i)),
                   journal_->frame_place(i));
    }
  }
  // Writes the trees and signs them.
  void sign() {
    for (auto& [name, log] : logs_.all()) {
      SR_CHECK(trees_.write(name, std::exchange(log.growth, {})).has_value());
      const Checkpoint head{log_origin(kPlace, name), log.tree.size(), log.tree.root()};
      const std::string note = sign_checkpoint(head, testing::golden_signer());
      std::ofstream(checkpoint_path(folder_, name), std::ios::app | std::ios::binary) << note;
    }
  }
  // 400 entries of two logs in several segments, and a break in the middle.
  void fill() {
    for (int i = 0; i < 20; ++i) {
      std::vector<std::string> group;
      for (int j = 0; j < 20; ++j) group.push_back(entry(j % 3 == 0 ? "" : "mer_1"));
      if (i == 9) group.push_back(entry("", EventType::log_break));
      append(group);
    }
    sign();
  }
  std::vector<ClosedSegment> closed() { return *closed_segments(files_, folder_); }

  std::string evidence(const ClosedSegment& segment) {
    const auto parts = parts_in_segment(files_, folder_, segment.first_sequence);
    SR_CHECK(parts.has_value());
    const auto entries = segment.last_sequence - segment.first_sequence + 1;
    SR_CHECK(check_parts(files_, folder_, *parts, entries).has_value());
    return *make_evidence(files_, folder_, *parts, segment.first_sequence);
  }
  ArchiveHeader archive(const ClosedSegment& segment) {
    const ArchiveHeader header{.segment = *read_segment(files_, folder_, segment),
                               .locked_until_ms = 1'900'000'000'000};
    const auto written =
        write_archive(files_, folder_, header, evidence(segment), archive_key(), random_);
    SR_CHECK(written.has_value());
    SR_CHECK(*written == *hash_file(files_, path(segment)));
    return header;
  }
  std::string path(const ClosedSegment& segment) const {
    return archive_path(folder_, segment.first_sequence);
  }
  std::string segment_path(const ClosedSegment& segment) const {
    return folder_ + "/" + segment_name(segment.first_sequence);
  }
  // The segment in the archive at `path`.
  Result<std::string> open(const std::string& path, const crypto::Aead& key = archive_key()) {
    SR_TRY(ArchiveReader reader, ArchiveReader::open(files_, path, key));
    std::string segment;
    while (true) {
      SR_TRY(const auto piece, reader.next());
      if (piece.empty()) return segment;
      segment += as_text(piece);
    }
  }
  NoteKey key() const {
    return {.name = log_origin(kPlace, "operator-2026"),
            .public_key = testing::golden_signer().public_key()};
  }

  static std::string new_folder() {
    std::string folder = ::testing::TempDir() + "sr_archive_XXXXXX";
    SR_CHECK(::mkdtemp(folder.data()) != nullptr);
    return folder;
  }

  PosixFiles files_;
  crypto::SystemRandom random_;
  const std::string folder_ = new_folder();
  std::unique_ptr<Journal> journal_;
  Logs logs_;
  TreeFiles trees_{files_, folder_};
  std::int64_t count_ = 0;
};

TEST_F(ArchiveTest, GivesBackTheSegmentAndProvesIt) {
  fill();
  const auto segments = closed();
  ASSERT_GE(segments.size(), 3U);
  for (const ClosedSegment& segment : segments) {
    const ArchiveHeader header = archive(segment);
    const std::string content = *read_file(segment_path(segment), kFileBytesMax);
    EXPECT_EQ(*read_archive_header(files_, path(segment)), header);
    EXPECT_EQ(header.segment.first_sequence, segment.first_sequence);
    EXPECT_EQ(header.segment.last_sequence, segment.last_sequence);
    EXPECT_EQ(header.segment.oldest_ms,
              kFirstMs + static_cast<std::int64_t>(segment.first_sequence - 1) * 1'000);
    EXPECT_EQ(header.segment.newest_ms,
              kFirstMs + static_cast<std::int64_t>(segment.last_sequence - 1) * 1'000);
    const auto opened = open(path(segment));
    ASSERT_TRUE(opened) << opened.error().what();
    EXPECT_EQ(*opened, content.substr(0, header.segment.size_bytes));
    EXPECT_LT(fs::file_size(path(segment)), content.size() / 2);
    auto reader = ArchiveReader::open(files_, path(segment), archive_key());
    const auto held = check_evidence(files_, folder_, header.segment, reader->evidence(), key());
    EXPECT_TRUE(held) << held.error().what();
  }
}

TEST_F(ArchiveTest, ProvesNothingElse) {
  fill();
  const auto segments = closed();
  const ArchiveHeader header = archive(segments[1]);
  const std::string good = evidence(segments[1]);
  const auto refused = [&](const std::string& text, const NoteKey& key) {
    return !check_evidence(files_, folder_, header.segment, text, key);
  };
  EXPECT_TRUE(refused(evidence(segments[2]), key())) << "of another segment";
  NoteKey other = key();
  other.public_key = testing::witness_signer().public_key();
  EXPECT_TRUE(refused(good, other)) << "of another key";
  other = key();
  other.name = "other.example/auditd/operator/2026";
  EXPECT_TRUE(refused(good, other)) << "of another place";
  for (std::size_t at = 0; at < good.size(); at += 7) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_TRUE(refused(changed, key())) << at;
  }
  std::string segment = *read_file(segment_path(segments[1]), kFileBytesMax);
  const std::string lookup = "token.lookup";
  segment.replace(segment.find(lookup), lookup.size(), "token.delete");
  std::ofstream(segment_path(segments[1]), std::ios::binary) << segment;
  EXPECT_TRUE(refused(good, key())) << "another entry";
}

TEST_F(ArchiveTest, FindsEveryChangedByte) {
  fill();
  const ClosedSegment segment = closed().front();
  archive(segment);
  const std::string good = *read_file(path(segment), kFileBytesMax);
  const std::string copy = folder_ + "/copy";
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(copy, std::ios::binary) << bytes;
    return !open(copy);
  };
  ASSERT_FALSE(refused(good));
  const std::size_t step = good.size() / 200;
  for (std::size_t at = 0; at < good.size(); at += at < 300 ? 1 : step) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    ASSERT_TRUE(refused(changed)) << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, kArchiveHeaderBytes,
                                 kArchiveHeaderBytes + 33, good.size() / 2, good.size() - 1}) {
    EXPECT_TRUE(refused(good.substr(0, size))) << size;
  }
  EXPECT_TRUE(refused(good + "x"));
}

TEST_F(ArchiveTest, ChunksMayNotBeMovedLeftOutOrTakenFromAnother) {
  fill();
  const ClosedSegment segment = closed().front();
  const ArchiveHeader header{.segment = *read_segment(files_, folder_, segment)};
  std::vector<std::byte> noise(3 * kArchiveChunkBytes);  // does not shrink
  random_.fill(noise);
  const auto write = [&] {
    SR_CHECK(write_archive(files_, folder_, header, as_text(noise), archive_key(), random_));
    return *read_file(path(segment), kFileBytesMax);
  };
  const std::string first = write();
  const std::string second = write();
  constexpr std::size_t kSealed = kArchiveChunkBytes + crypto::Sealed::kOverhead;
  const std::string copy = folder_ + "/copy";
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(copy, std::ios::binary) << bytes;
    return !open(copy);
  };
  EXPECT_FALSE(refused(first));
  EXPECT_NE(first, second) << "each has a key of its own";
  const auto chunk = [&](const std::string& of, std::size_t i) {
    return of.substr(kArchiveHeaderBytes + i * kSealed, kSealed);
  };
  std::string changed = first;
  changed.replace(kArchiveHeaderBytes, kSealed, chunk(first, 1));
  changed.replace(kArchiveHeaderBytes + kSealed, kSealed, chunk(first, 0));
  EXPECT_TRUE(refused(changed)) << "two change places";
  changed = first;
  changed.replace(kArchiveHeaderBytes + kSealed, kSealed, chunk(second, 1));
  EXPECT_TRUE(refused(changed)) << "one of another archive";
  changed = first;
  changed.erase(kArchiveHeaderBytes + kSealed, kSealed);
  EXPECT_TRUE(refused(changed)) << "one is left out";
  EXPECT_TRUE(refused(first.substr(0, kArchiveHeaderBytes + 2 * kSealed)))
      << "the last is left out";
}

TEST_F(ArchiveTest, OpensWithItsKeyOnly) {
  fill();
  const ClosedSegment segment = closed().front();
  archive(segment);
  EXPECT_EQ(open(path(segment), archive_key(8)).error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(open(folder_ + "/none").error().code(), ErrorCode::not_found);
  EXPECT_EQ(read_archive_header(files_, segment_path(segment)).error().code(), ErrorCode::corrupt);
}

TEST_F(ArchiveTest, IsNotMadeOfWhatIsDamagedOrUnsigned) {
  fill();
  const ClosedSegment segment = closed()[1];
  const auto parts = *parts_in_segment(files_, folder_, segment.first_sequence);
  EXPECT_EQ(check_parts(files_, folder_, parts, 1).error().code(), ErrorCode::corrupt);
  ArchiveHeader header{.segment = *read_segment(files_, folder_, segment)};
  header.segment.sha256[0] ^= std::byte{1};
  EXPECT_EQ(write_archive(files_, folder_, header, "", archive_key(), random_).error().code(),
            ErrorCode::corrupt);
  fs::resize_file(checkpoint_path(folder_, "mer_1-2026"), 0);
  EXPECT_FALSE(make_evidence(files_, folder_, parts, segment.first_sequence));
  std::string bytes = *read_file(segment_path(segment), kFileBytesMax);
  bytes[1'000] = static_cast<char>(bytes[1'000] ^ 1);
  std::ofstream(segment_path(segment), std::ios::binary) << bytes;
  EXPECT_EQ(read_segment(files_, folder_, segment).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(check_parts(files_, folder_, parts, segment.last_sequence - segment.first_sequence + 1)
                .error()
                .code(),
            ErrorCode::corrupt);
}

TEST_F(ArchiveTest, AnEntryIsReadFromARestoredSegment) {
  fill();
  const ClosedSegment segment = closed().front();
  archive(segment);
  auto reader = LogReader::open(files_, folder_, "mer_1-2026");
  const auto before = reader->entry(0);
  ASSERT_TRUE(before);
  EXPECT_EQ(reader->place(0)->segment_first_sequence, 1U);
  const std::string content = *open(path(segment));
  fs::remove(segment_path(segment));
  reader = LogReader::open(files_, folder_, "mer_1-2026");
  EXPECT_EQ(reader->entry(0).error().code(), ErrorCode::gone);
  fs::create_directory(folder_ + "/restored");
  std::ofstream(folder_ + "/restored/" + segment_name(1), std::ios::binary) << content;
  EXPECT_EQ(reader->entry(0).error().code(), ErrorCode::gone) << "for this reader";
  reader = LogReader::open(files_, folder_, "mer_1-2026");
  const auto restored = reader->entry(0);
  ASSERT_TRUE(restored);
  EXPECT_TRUE(*restored == *before);
  fs::remove_all(folder_ + "/restored");
  fs::remove(path(segment));
  reader = LogReader::open(files_, folder_, "mer_1-2026");
  EXPECT_EQ(reader->entry(0).error().code(), ErrorCode::gone) << "also once the archive is";
}

TEST(ArchiveNameTest, SaysTheFirstSequence) {
  EXPECT_EQ(archive_name(42), "journal-00000000000000000042.archive");
  EXPECT_EQ(sequence_of_archive("journal-00000000000000000042.archive"), 42U);
  for (const char* name :
       {"", "journal-42.archive", "journal-00000000000000000042.log",
        "journal-0000000000000000004x.archive", "../../../journal-000000000000000000.archive"}) {
    EXPECT_FALSE(sequence_of_archive(name)) << name;
  }
}

}  // namespace
}  // namespace strongroom::audit

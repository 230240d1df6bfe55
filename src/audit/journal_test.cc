// The journal's files: torn ends, damage, segments, going on.
#include "audit/journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

TEST(FrameTest, Crc32cMatchesRfc3720) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8A9136AAU);
}

TEST(FrameTest, WritesTheDocumentedBytes) {
  std::vector<std::byte> bytes;
  append_frame(bytes, 0x0102030405060708, true, as_bytes("abc"));
  EXPECT_EQ(hex(bytes).substr(8),
            "0102030405060708"
            "0003"
            "01"
            "00"
            "616263");
  EXPECT_EQ(read_u32be(bytes), crc32c(std::span(bytes).subspan(4)));
  const auto frame = parse_frame(bytes);
  ASSERT_TRUE(frame);
  EXPECT_EQ(as_text(frame->entry), "abc");
  EXPECT_EQ(hex(frame->leaf_input), "00616263");
  EXPECT_TRUE(frame->group_start);
}

TEST(FrameTest, HeaderRoundTripsAndRefusesEveryFlippedBit) {
  const auto header = segment_header(77);
  EXPECT_EQ(parse_segment_header(header), 77U);
  for (std::size_t i = 0; i < header.size() * 8; ++i) {
    auto changed = header;
    changed[i / 8] ^= std::byte{1} << (i % 8);
    EXPECT_FALSE(parse_segment_header(changed));
  }
  EXPECT_FALSE(parse_segment_header(std::span(header).first(31)));
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() : folder_(testing::TempDir() + "sr_journal_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
  }
  ~JournalTest() override { fs::remove_all(folder_); }

  struct Reading {
    std::vector<std::string> entries;
    std::vector<std::uint64_t> offsets;  // of each frame, in its file
    Result<void> end;
    JournalPlace place;
    bool torn = false;
  };

  Reading read() {
    Reading reading{{}, {}, {}, {}, false};
    auto reader = JournalReader::open(files_, folder_);
    SR_CHECK(reader.has_value());
    while (true) {
      const auto frame = reader->next();
      if (!frame) reading.end = std::unexpected(frame.error());
      if (!frame || !*frame) break;
      reading.entries.emplace_back(as_text((*frame)->entry));
      reading.offsets.push_back(reader->place().offset_bytes - (*frame)->size_bytes);
    }
    reading.place = reader->place();
    reading.torn = reader->torn();
    return reading;
  }

  std::unique_ptr<Journal> open(std::uint64_t segment_bytes_max = 64 << 20,
                                std::uint64_t zero_ahead_bytes = 100) {
    auto reader = JournalReader::open(files_, folder_);
    SR_CHECK(reader.has_value());
    while (true) {
      const auto frame = reader->next();
      SR_CHECK(frame || reader->torn());
      if (!frame || !*frame) break;
    }
    auto journal = Journal::resume(files_,
                                   {.directory = folder_,
                                    .segment_bytes_max = segment_bytes_max,
                                    .zero_ahead_bytes = zero_ahead_bytes},
                                   *reader);
    SR_CHECK(journal.has_value());
    return *std::move(journal);
  }

  static void append(Journal& journal, std::vector<std::string> entries) {
    for (const std::string& entry : entries) journal.stage(entry);
    SR_CHECK(journal.commit().has_value());
  }

  std::string path(std::uint64_t first = 1) const { return folder_ + "/" + segment_name(first); }
  std::string content(std::uint64_t first = 1) const {
    std::ifstream in(path(first), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_content(const std::string& bytes, std::uint64_t first = 1) const {
    std::ofstream(path(first), std::ios::binary | std::ios::trunc) << bytes;
  }

  PosixFiles files_;
  std::string folder_;
};

TEST_F(JournalTest, KeepsEntriesAcrossReopening) {
  append(*open(), {"one", "two"});
  append(*open(), {"three"});
  const Reading reading = read();
  EXPECT_TRUE(reading.end);
  EXPECT_EQ(reading.entries, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(reading.place.sequence, 4U);
}

TEST_F(JournalTest, GivesTheLeafInputsOfTheCommittedGroup) {
  const auto journal = open();
  append(*journal, {"one", "two"});
  EXPECT_EQ(as_text(journal->leaf_input(0)), std::string_view("\0one", 4));
  EXPECT_EQ(as_text(journal->leaf_input(1)), std::string_view("\0two", 4));
  EXPECT_EQ(journal->next_sequence(), 3U);
}

TEST_F(JournalTest, StartsASegmentWhenAGroupDoesNotFit) {
  const auto journal = open(kSegmentHeaderBytes + 3 * (kFrameHeaderBytes + 3));
  append(*journal, {"one", "two"});
  append(*journal, {"thr", "fou"});
  append(*journal, {std::string(500, 'x')});  // longer than a segment: gets its own
  append(*journal, {"six"});
  EXPECT_EQ(list_segments(files_, folder_)->size(), 4U);
  EXPECT_EQ(fs::file_size(path(1)), kSegmentHeaderBytes + 2 * (kFrameHeaderBytes + 3));
  EXPECT_EQ(read().entries.size(), 6U);
  append(*open(), {"seven"});
  EXPECT_EQ(read().entries.back(), "seven");
}

TEST_F(JournalTest, CutsATornEndAtEveryByteOfTheLastFrame) {
  append(*open(), {"one", "two"});
  append(*open(), {"three"});
  const Reading whole = read();
  const std::string bytes = content().substr(0, whole.place.offset_bytes);
  for (std::size_t end = whole.offsets[2] + 1; end < bytes.size(); ++end) {
    for (const bool zeros_follow : {false, true}) {
      std::string torn = bytes.substr(0, end);
      if (zeros_follow) torn.resize(bytes.size() + 100);
      write_content(torn);
      const auto journal = open();
      ASSERT_TRUE(journal->recovery()) << end;
      EXPECT_EQ(journal->recovery()->file, segment_name(1));
      EXPECT_EQ(journal->recovery()->new_size_bytes, whole.offsets[2]);
      EXPECT_GT(journal->recovery()->old_size_bytes, whole.offsets[2]);
      EXPECT_LE(journal->recovery()->old_size_bytes, end);
      append(*journal, {"again"});
      const Reading reading = read();
      EXPECT_TRUE(reading.end);
      EXPECT_EQ(reading.entries, (std::vector<std::string>{"one", "two", "again"}));
    }
  }
}

TEST_F(JournalTest, MakesASegmentAnewWhoseHeaderIsTorn) {
  append(*open(60), {"one"});
  const auto header = segment_header(2);
  for (std::size_t size = 0; size < header.size(); ++size) {
    write_content(std::string(as_text(header)).substr(0, size), 2);
    append(*open(), {"two"});
    EXPECT_EQ(read().entries, (std::vector<std::string>{"one", "two"}));
  }
}

TEST_F(JournalTest, ReadsNothingBehindABadHeaderUntilItIsWhole) {
  append(*open(), {"one"});
  const std::string whole = content();
  write_content(whole.substr(kSegmentHeaderBytes));  // a right frame, where the header belongs
  auto reader = JournalReader::open(files_, folder_);
  ASSERT_TRUE(reader);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(reader->next().error().code(), ErrorCode::corrupt);
    EXPECT_EQ(reader->place().offset_bytes, 0U);
  }
  write_content(whole);
  const auto frame = reader->next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ(as_text((*frame)->entry), "one");
}

TEST_F(JournalTest, NamesEveryFlippedByte) {
  const auto journal = open(115);
  append(*journal, {"one", "two"});
  append(*journal, {"three", "four"});  // ends the first segment
  append(*journal, {"five"});
  append(*journal, {"six", "7"});
  ASSERT_EQ(list_segments(files_, folder_)->size(), 2U);
  const Reading whole = read();
  const std::size_t second_starts = 4;  // entries before the second segment
  for (const std::uint64_t first : {std::uint64_t{1}, std::uint64_t{5}}) {
    const std::string bytes = content(first);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 0x10);
      write_content(changed, first);
      const Reading reading = read();
      ASSERT_FALSE(reading.end) << i;
      EXPECT_EQ(reading.end.error().code(), ErrorCode::corrupt);
      EXPECT_EQ(reading.place.file, segment_name(first));
      EXPECT_LE(reading.place.offset_bytes, i);
      const std::size_t good = reading.entries.size();
      EXPECT_EQ(reading.place.sequence, good + 1);
      EXPECT_TRUE(
          std::equal(reading.entries.begin(), reading.entries.end(), whole.entries.begin()));
      if (good + 1 < whole.offsets.size() && good + 1 != second_starts && i > whole.offsets[good]) {
        EXPECT_LT(i, whole.offsets[good + 1]);
      }
      // Only damage to the last group, or behind it, can be mistaken for an unfinished write.
      EXPECT_EQ(reading.torn, first == 5 && good >= 5) << i;
    }
    write_content(bytes, first);
  }
}

TEST_F(JournalTest, RemovesATornLastSegmentOfAnotherName) {
  append(*open(60), {"one"});
  write_content("SRJOU", 9);
  append(*open(60), {"two"});
  append(*open(60), {"three"});
  EXPECT_EQ(read().entries, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_FALSE(fs::exists(path(9)));
}

TEST_F(JournalTest, TakesAWholeHeaderOfAnotherSequenceForDamage) {
  append(*open(60), {"one"});
  write_content(std::string(as_text(segment_header(3))), 3);
  const Reading reading = read();
  EXPECT_EQ(reading.end.error().code(), ErrorCode::corrupt);
  EXPECT_FALSE(reading.torn);
}

TEST_F(JournalTest, NamesNoCutWhereASegmentWasOnlyMade) {
  append(*open(60), {"one"});
  write_content("", 2);
  EXPECT_FALSE(open(60)->recovery());
}

TEST_F(JournalTest, RefusesAMissingSegmentAndAForeignOne) {
  const auto journal = open(60);
  append(*journal, {"one"});
  append(*journal, {"two"});
  append(*journal, {"three"});
  fs::rename(path(2), folder_ + "/aside");
  Reading reading = read();
  EXPECT_EQ(reading.end.error().code(), ErrorCode::corrupt);
  EXPECT_FALSE(reading.torn);
  EXPECT_EQ(reading.place.sequence, 2U);
  fs::copy(path(1), path(2));
  EXPECT_EQ(read().end.error().code(), ErrorCode::corrupt);
}

TEST_F(JournalTest, ReadsBesideTheWriter) {
  const auto journal = open(64 << 20, 1 << 20);
  append(*journal, {"one"});
  auto reader = JournalReader::open(files_, folder_);
  ASSERT_TRUE(reader);
  ASSERT_TRUE(reader->next()->has_value());
  EXPECT_FALSE(reader->next()->has_value());
  append(*journal, {"two"});
  const auto frame = reader->next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ(as_text((*frame)->entry), "two");
}

TEST_F(JournalTest, ReaderReportsAnAbsentFolder) {
  EXPECT_EQ(JournalReader::open(files_, folder_ + "/none").error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::audit

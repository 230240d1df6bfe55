// A note is found in a file of many, and nothing else is.
#include "audit/checkpoint_files.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>

#include "audit/testing/golden.h"
#include "base/encoding.h"
#include "support/temporary_directory.h"

namespace strongroom::audit {
namespace {

class FindNoteTest : public ::testing::Test {
 protected:
  static Checkpoint checkpoint(std::uint64_t size) {
    return {.origin = std::string(testing::kOrigin),
            .size = size,
            .root = leaf_hash(as_bytes(fmt::format("{}", size)))};
  }
  void write(std::string_view bytes) { std::ofstream(path_, std::ios::app) << bytes; }
  Result<std::optional<std::string>> find(const Checkpoint& wanted) {
    const auto file = files_.open(path_, OpenMode::read);
    return find_note(*file.value(), wanted);
  }

  test::TemporaryDirectory folder_;
  std::string path_ = (folder_.path() / "log").string();
  PosixFiles files_;
};

TEST_F(FindNoteTest, EachOfManyIsFoundAndNoneThatIsNotThere) {
  std::vector<std::string> notes;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    notes.push_back(sign_checkpoint(checkpoint(i * i), testing::golden_signer()));
    write(notes.back());
    bytes += notes.back().size();
  }
  ASSERT_GT(bytes, 3 * kNoteBytesMax) << "or it need not search";
  for (std::uint64_t i = 1; i <= notes.size(); ++i) {
    const auto found = find(checkpoint(i * i));
    ASSERT_TRUE(found && *found) << i;
    EXPECT_EQ(**found, notes[i - 1]);
  }
  for (const std::uint64_t size : {0U, 2U, 3U, 22'499U, 22'501U, 90'001U}) {
    EXPECT_EQ(find(checkpoint(size)).value(), std::nullopt) << size;
  }
  Checkpoint other = checkpoint(22'500);
  other.root = checkpoint(1).root;
  EXPECT_EQ(find(other).value(), std::nullopt);
  write(notes[0].substr(0, notes[0].size() - 1));  // being written
  EXPECT_TRUE(find(checkpoint(90'000)).value().has_value());
}

TEST_F(FindNoteTest, AnEmptyFileHasNone) {
  write("");
  EXPECT_EQ(find(checkpoint(1)).value(), std::nullopt);
}

TEST_F(FindNoteTest, WhatIsNotOfNotesIsCorrupt) {
  write(std::string(8 * kNoteBytesMax, 'x'));
  EXPECT_EQ(find(checkpoint(1)).error().code(), ErrorCode::corrupt);
}

}  // namespace
}  // namespace strongroom::audit

// Static trees: the one of the vectors verifies, and any change to any of its files is named.
#include "audit/static_tree.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/testing/golden.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

fs::path vectors() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  const fs::path root = folder != nullptr ? folder : fs::path(SR_SOURCE_DIR) / "../shared/vectors";
  return root / "audit";
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A copy of the small log of the vectors, to be damaged.
class Copy {
 public:
  Copy() {
    std::string folder = ::testing::TempDir() + "sr_static_XXXXXX";
    SR_CHECK(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    renew();
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { fs::remove_all(folder_); }
  void renew() const {
    fs::remove_all(folder_);
    fs::copy(vectors() / "log", folder_, fs::copy_options::recursive);
  }
  [[nodiscard]] const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

class StaticTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!exists(vectors())) GTEST_SKIP() << "no " << vectors() << "; set STRONGROOM_VECTORS";
  }
  Result<StaticTree> verify(const fs::path& folder, const StaticTreeCallbacks& callbacks = {}) {
    return verify_static_tree(files_, folder.string(), key_, callbacks);
  }
  PosixFiles files_;
  NoteVerifier key_ = NoteVerifier::create(NoteKey::parse(testing::kVkey).value()).value();
};

TEST_F(StaticTreeTest, VerifyTellsTheCheckpoint) {
  std::uint64_t done = 0;
  std::uint64_t entries = 0;
  const auto tree =
      verify(vectors() / "big",
             {.progress =
                  [&](std::uint64_t at, std::uint64_t total) {
                    EXPECT_GT(at, done);
                    EXPECT_EQ(total, 70'000U);
                    done = at;
                  },
              .entry = [&](std::uint64_t index,
                           std::span<const std::byte>) { EXPECT_EQ(index, entries++); }});
  ASSERT_TRUE(tree && !tree->bad) << tree->bad->path << tree->bad->what;
  EXPECT_EQ(tree->checkpoint.size, 70'000U);
  EXPECT_EQ(done, 70'000U);
  EXPECT_EQ(entries, 70'000U);
}

TEST_F(StaticTreeTest, PathsAreAllFilesOfTheTree) {
  const fs::path folder = vectors() / "big";
  std::vector<std::string> found;
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    if (each.is_regular_file()) found.push_back(fs::relative(each.path(), folder).string());
  }
  std::vector<std::string> paths = static_tree_paths(70'000);
  EXPECT_EQ(paths.back(), "checkpoint");
  std::ranges::sort(found);
  std::ranges::sort(paths);
  EXPECT_EQ(found, paths);
}

TEST_F(StaticTreeTest, AnyFlippedByteIsNamed) {
  const Copy copy;
  const fs::path& folder = copy.folder();
  for (const std::string& path : static_tree_paths(4)) {
    const std::string bytes = content(folder / path);
    // Behind the log's own signature stands the witness's, which is not this key's to judge.
    const std::size_t judged = path == "checkpoint" ? bytes.rfind("\xe2\x80\x94") : bytes.size();
    for (std::size_t place = 0; place < judged; ++place) {
      std::string damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ 1);
      write(folder / path, damaged);
      const auto tree = verify(folder);
      ASSERT_TRUE(tree && tree->bad) << path << " at byte " << place;
      // A bundle and its tile are held against each other.
      if (path == "checkpoint") {
        EXPECT_EQ(tree->bad->path, path);
      }
    }
    write(folder / path, bytes);
  }
  EXPECT_FALSE(verify(folder)->bad);
}

TEST_F(StaticTreeTest, AbsentOrShorterFileIsNamed) {
  const Copy copy;
  const fs::path& folder = copy.folder();
  for (const std::string& path : static_tree_paths(4)) {
    copy.renew();
    write(folder / path, content(folder / path).substr(1));
    EXPECT_EQ(verify(folder)->bad->path, path);
    fs::remove(folder / path);
    EXPECT_EQ(verify(folder)->bad->path, path);
  }
}

}  // namespace
}  // namespace strongroom::audit

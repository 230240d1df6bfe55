// What an immutable file withstands. Needs a file system that has them and CAP_LINUX_IMMUTABLE.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "audit/files.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

class ImmutableFilesTest : public testing::Test {
 protected:
  ImmutableFilesTest() {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    path_ = folder_ + "/file";
    SR_CHECK(files_.replace(path_, as_bytes("kept")).has_value());
  }
  ~ImmutableFilesTest() override {
    (void)remove_immutable(files_, path_);
    ::rmdir(folder_.c_str());
  }
  [[nodiscard]] bool lacks_immutable() { return !files_.has_immutable(folder_); }

  ImmutableFiles files_;
  std::string folder_ = testing::TempDir() + "sr_immutable_XXXXXX";
  std::string path_;
};

TEST_F(ImmutableFilesTest, WithstandsAllButItsOwnersEndOfIt) {
  if (lacks_immutable()) GTEST_SKIP() << "no immutable files here";
  ASSERT_TRUE(files_.set_immutable(path_, true));
  ASSERT_TRUE(files_.set_immutable(path_, true)) << "again";
  EXPECT_TRUE(::open(path_.c_str(), O_WRONLY | O_CLOEXEC) < 0 && errno == EPERM);
  EXPECT_TRUE(::truncate(path_.c_str(), 0) != 0 && errno == EPERM);
  EXPECT_TRUE(::rename(path_.c_str(), (folder_ + "/other").c_str()) != 0 && errno == EPERM);
  EXPECT_FALSE(files_.replace(path_, as_bytes("another")));
  const auto removed = files_.remove(path_);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().detail(), static_cast<std::uint32_t>(EPERM));
  EXPECT_EQ(*read_text(files_, path_, 64), "kept");

  ASSERT_TRUE(remove_immutable(files_, path_));
  EXPECT_EQ(remove_immutable(files_, path_).error().code(), ErrorCode::not_found);
}

TEST_F(ImmutableFilesTest, WithstandsWhoHasItOpen) {
  if (lacks_immutable()) GTEST_SKIP() << "no immutable files here";
  const auto file = *files_.open(path_, OpenMode::write);
  ASSERT_TRUE(files_.set_immutable(path_, true));
  EXPECT_FALSE(file->write(0, as_bytes("x")));
  EXPECT_FALSE(file->truncate(0));
  ASSERT_TRUE(files_.set_immutable(path_, false));
  EXPECT_TRUE(file->write(0, as_bytes("x")));
}

TEST_F(ImmutableFilesTest, IsRemovedWhereNothingIsImmutable) {
  PosixFiles plain;
  EXPECT_FALSE(plain.has_immutable(folder_));
  EXPECT_EQ(plain.set_immutable(path_, true).error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(remove_immutable(plain, path_));
  EXPECT_EQ(files_.set_immutable(path_, true).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(files_.has_immutable("/proc"));
}

}  // namespace
}  // namespace strongroom::audit

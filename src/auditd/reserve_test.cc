// Reserve, on a disk that has room.
#include "auditd/reserve.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <string>

namespace strongroom::auditd {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = std::uint64_t{1} << 20;

class ReserveTest : public testing::Test {
 protected:
  ReserveTest() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~ReserveTest() override { fs::remove_all(folder_); }
  Reserve open(std::uint64_t size_bytes = kSize) const {
    auto reserve = Reserve::open(folder_, size_bytes);
    EXPECT_TRUE(reserve);
    return *std::move(reserve);
  }
  // What the file keeps from everyone else.
  std::uint64_t taken() const {
    struct stat status{};
    EXPECT_EQ(::stat((folder_ + "/reserve").c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  std::string folder_ = testing::TempDir() + "sr_reserve_XXXXXX";
};

TEST_F(ReserveTest, TakesItsRoomOfTheDisk) {
  const Reserve reserve = open();
  EXPECT_EQ(reserve.room(), Room::everyone);
  EXPECT_TRUE(reserve.whole());
  EXPECT_GE(taken(), kSize);
}

TEST_F(ReserveTest, GivesItsRoomBackInSteps) {
  Reserve reserve = open();
  ASSERT_TRUE(reserve.release());
  EXPECT_EQ(reserve.room(), Room::reserve_writers);
  EXPECT_LE(taken(), kSize - kSize / 8);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(reserve.release());
  EXPECT_EQ(reserve.room(), Room::auditd) << "the last eighth";
  ASSERT_TRUE(reserve.release());
  const auto none = reserve.release();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::exhausted);
  EXPECT_EQ(reserve.room(), Room::auditd);
  EXPECT_EQ(taken(), 0U);
}

TEST_F(ReserveTest, IsTakenAgainWhenThereIsRoom) {
  Reserve reserve = open();
  ASSERT_TRUE(reserve.release());
  ASSERT_TRUE(reserve.fill());
  EXPECT_EQ(reserve.room(), Room::everyone);
  EXPECT_GE(taken(), kSize);
}

TEST_F(ReserveTest, FollowsAnotherSizeAtTheNextStart) {
  {
    const Reserve reserve = open();
  }
  EXPECT_TRUE(open(kSize / 2).whole());
  EXPECT_LE(taken(), kSize / 2 + 4096);
  EXPECT_TRUE(open(0).whole());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/reserve")) << "none is wanted";
}

TEST_F(ReserveTest, DiskWithoutRoomHasNoReserveAndServesEveryone) {
  const Reserve reserve = open(std::numeric_limits<std::uint64_t>::max() / 4);
  EXPECT_FALSE(reserve.whole());
  EXPECT_EQ(reserve.room(), Room::everyone);
}

TEST_F(ReserveTest, PartThatARunHasLeftIsKeptForItsWriters) {
  {
    Reserve reserve = open();
    ASSERT_TRUE(reserve.release());
  }
  // This size has no room beside it, as on the disk that was full.
  const Reserve reserve = open(std::numeric_limits<std::uint64_t>::max() / 4);
  EXPECT_EQ(reserve.room(), Room::auditd);
}

TEST_F(ReserveTest, FolderThatIsNotThereIsNamed) {
  const auto reserve = Reserve::open(folder_ + "/absent", kSize);
  ASSERT_FALSE(reserve);
  EXPECT_EQ(reserve.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::auditd

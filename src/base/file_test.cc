#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "base/encoding.h"

namespace strongroom {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string make(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    std::ofstream(path(name)) << content;
    EXPECT_EQ(::chmod(path(name).c_str(), mode), 0);
    return path(name);
  }
  std::size_t files_in_folder() const {
    const std::filesystem::directory_iterator files(folder_);
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  mode_t mode_of(const std::string& file) const {
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  std::string folder_ = testing::TempDir() + "file_test.XXXXXX";
};

TEST_F(FileTest, ReadFileReturnsTheContent) {
  EXPECT_EQ(*read_file(make("a", "line\n"), 5), "line\n");
  EXPECT_EQ(*read_file(make("b", ""), 0), "");
}

TEST_F(FileTest, ReadFileFailsAsDocumented) {
  EXPECT_EQ(read_file(path("absent"), 5).error().code(), ErrorCode::not_found);
  EXPECT_EQ(read_file(make("a", "line\n") + "/b", 5).error().code(), ErrorCode::not_found);
  EXPECT_EQ(read_file(path("a"), 4).error().code(), ErrorCode::too_large);
  EXPECT_EQ(read_file(folder_, 1 << 20).error().code(), ErrorCode::invalid_argument);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_file(path("fifo"), 5).error().code(), ErrorCode::invalid_argument);
  const auto loop = path("loop");
  std::filesystem::create_symlink(loop, loop);
  EXPECT_EQ(read_file(loop, 5).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(read_file(loop, 5).error().detail(), static_cast<std::uint32_t>(ELOOP));
}

// A signal ends a write to a pipe without room: before it took anything, or behind a part.
TEST_F(FileTest, WriteFullWritesAllOrTellsWhy) {
  struct sigaction interrupt{}, before{};
  interrupt.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &interrupt, &before), 0);
  const std::string content(std::size_t{1} << 18, 'x');
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::string got;
  std::thread reader([&, writer = ::pthread_self()] {
    std::array<char, 1000> piece;
    for (ssize_t size = 0; (size = ::read(ends[0], piece.data(), piece.size())) > 0;) {
      got.append(piece.data(), static_cast<std::size_t>(size));
      ::pthread_kill(writer, SIGUSR1);
    }
  });
  EXPECT_TRUE(write_full(ends[1], as_bytes(content)));
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(got, content);
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(write_full(full, as_bytes(content)).error().code(), ErrorCode::exhausted);
  EXPECT_EQ(write_full(full, as_bytes(content)).error().detail(),
            static_cast<std::uint32_t>(ENOSPC));
  ::close(full);
}

TEST_F(FileTest, ReadSecretFileStripsOneNewline) {
  EXPECT_EQ(as_text(read_secret_file(make("a", "1234\n"), 64)->reveal()), "1234");
  EXPECT_EQ(as_text(read_secret_file(make("b", "1234\n\n"), 64)->reveal()), "1234\n");
  EXPECT_EQ(as_text(read_secret_file(make("c", "1234", 0400), 64)->reveal()), "1234");
  EXPECT_TRUE(read_secret_file(make("d", ""), 64)->empty());
}

TEST_F(FileTest, ReadSecretFileRefusesFilesOpenToOthers) {
  for (const mode_t mode : {0640U, 0620U, 0610U, 0604U, 0602U, 0601U}) {
    EXPECT_EQ(read_secret_file(make("a", "1234", mode), 64).error().code(),
              ErrorCode::permission_denied);
  }
  EXPECT_EQ(read_secret_file(make("b", "12345"), 4).error().code(), ErrorCode::too_large);
  EXPECT_EQ(read_secret_file(path("absent"), 4).error().code(), ErrorCode::not_found);
}

TEST_F(FileTest, ReadSecretFileRefusesFilesOfOtherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string file = make("a", "1234");
  ASSERT_EQ(::chown(file.c_str(), 65534, 65534), 0);
  EXPECT_EQ(read_secret_file(file, 64).error().code(), ErrorCode::permission_denied);
}

TEST_F(FileTest, WriteFileDurableReplacesTheFile) {
  const std::string file = make("a", "old", 0644);
  const mode_t mask = ::umask(077);
  ASSERT_TRUE(write_file_durable(file, as_bytes("new"), 0640));
  ::umask(mask);
  EXPECT_EQ(*read_file(file, 64), "new");
  EXPECT_EQ(mode_of(file), 0640U);
  ASSERT_TRUE(write_file_durable(path("b"), {}, 0600));
  EXPECT_EQ(*read_file(path("b"), 64), "");
  EXPECT_EQ(files_in_folder(), 2U);
}

TEST_F(FileTest, WriteFileDurableLeavesNothingBehindOnFailure) {
  EXPECT_EQ(write_file_durable(path("absent/a"), as_bytes("x"), 0600).error().code(),
            ErrorCode::not_found);
  // A folder cannot be replaced by a file: rename(2) fails after the data is written.
  std::filesystem::create_directory(path("folder"));
  EXPECT_EQ(write_file_durable(path("folder"), as_bytes("x"), 0600).error().code(),
            ErrorCode::unavailable);
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(FileTest, WriteFileDurableTakesPathsWithoutFolder) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  EXPECT_TRUE(write_file_durable("a", as_bytes("x"), 0600));
  std::filesystem::current_path(before);
  EXPECT_EQ(*read_file(path("a"), 64), "x");
}

TEST_F(FileTest, FileLockIsHeldByOneOnly) {
  std::optional<FileLock> lock = *FileLock::acquire(path("lock"));
  EXPECT_EQ(*read_file(path("lock"), 64), std::to_string(::getpid()) + "\n");
  EXPECT_EQ(mode_of(path("lock")), 0600U);
  EXPECT_EQ(FileLock::acquire(path("lock")).error().code(), ErrorCode::conflict);
  FileLock moved = *std::move(lock);
  lock.reset();
  EXPECT_EQ(FileLock::acquire(path("lock")).error().code(), ErrorCode::conflict);
  moved = *FileLock::acquire(path("other"));
}

TEST_F(FileTest, FileLockIsFreedWithItsProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::acquire(path("lock"));
    ::_exit(lock ? 0 : 1);  // without a destructor, as a killed process
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(FileLock::acquire(path("lock")));
}

TEST_F(FileTest, FileLockNeedsNoSpaceOnTheDisk) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit nothing{0, 0};  // no file may grow
    const bool limited = ::setrlimit(RLIMIT_FSIZE, &nothing) == 0;
    const auto lock = FileLock::acquire(path("lock"));
    ::_exit(limited && lock ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(FileTest, FileLockFailsAsDocumented) {
  EXPECT_EQ(FileLock::acquire(path("absent/lock")).error().code(), ErrorCode::not_found);
  EXPECT_EQ(FileLock::acquire(folder_).error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom

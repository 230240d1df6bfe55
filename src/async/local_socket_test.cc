// LocalSocket over real sockets: framing, bounds, time-outs, closing, the peer's user.
#include "async/local_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/encoding.h"

namespace strongroom::async {
namespace {

using namespace std::chrono_literals;

struct Pair {
  std::unique_ptr<LocalListener> listener;
  std::unique_ptr<LocalSocket> near, far;
};

class LocalSocketTest : public testing::Test {
 protected:
  LocalSocketTest() : folder_(testing::TempDir() + "sr_local_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    path_ = folder_ + "/s";
  }
  ~LocalSocketTest() override {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }

  static Task<void> connect_both(Loop& loop, std::string path, LocalSocketLimits limits,
                                 Pair& pair) {
    auto near = co_await LocalSocket::connect(loop, path, limits);
    SR_CHECK(near.has_value());
    pair.near = *std::move(near);
    auto far = co_await pair.listener->accept();
    SR_CHECK(far.has_value());
    pair.far = *std::move(far);
  }

  Pair connected(LocalSocketLimits limits = {}) {
    auto listener = LocalListener::listen(loop_, path_, limits);
    SR_CHECK(listener.has_value());
    Pair pair{*std::move(listener), {}, {}};
    loop_.run_until_done(connect_both(loop_, path_, limits, pair));
    return pair;
  }

  Result<void> write(LocalSocket& socket, std::vector<std::string> texts) {
    std::vector<Frame> frames;
    for (const std::string& text : texts) frames.push_back(as_bytes(text));
    return loop_.run_until_done(socket.write(frames));
  }
  Result<std::vector<std::byte>> read(LocalSocket& socket, std::chrono::milliseconds timeout = 1s) {
    return loop_.run_until_done(socket.read(timeout));
  }

  Loop loop_;
  std::string folder_, path_;
};

TEST_F(LocalSocketTest, DeliversFramesWholeAndInOrder) {
  Pair pair = connected();
  std::vector<std::string> texts(40, "frame");
  texts[7] = "";
  texts[8] = std::string(300, 'x');
  ASSERT_TRUE(write(*pair.near, texts));
  for (const std::string& text : texts) {
    const auto frame = read(*pair.far);
    ASSERT_TRUE(frame);
    EXPECT_EQ(as_text(*frame), text);
  }
}

Task<void> write_big(LocalSocket& socket, const std::string& text, Result<void>& outcome) {
  const std::array<Frame, 2> frames{as_bytes(text), as_bytes("end")};
  outcome = co_await socket.write(frames);
}

TEST_F(LocalSocketTest, CarriesAFrameLargerThanTheKernelsBuffers) {
  Pair pair = connected();
  const std::string big(std::size_t{2} << 20, 'b');
  Result<void> outcome = fail({ErrorCode::unavailable, "not ended"});
  spawn(write_big(*pair.near, big, outcome));
  const auto frame = read(*pair.far);
  ASSERT_TRUE(frame);
  EXPECT_EQ(as_text(*frame), big);
  EXPECT_EQ(as_text(*read(*pair.far)), "end");
  EXPECT_TRUE(outcome);
}

TEST_F(LocalSocketTest, RefusesFramesOverTheLimitOnBothSides) {
  Pair pair = connected();
  LocalSocketLimits small{.frame_bytes_max = 8, .write_timeout = 1s};
  auto narrow = loop_.run_until_done(LocalSocket::connect(loop_, path_, small));
  ASSERT_TRUE(narrow);
  auto far = loop_.run_until_done(pair.listener->accept());
  ASSERT_TRUE(far);
  EXPECT_EQ(write(**narrow, {"123456789"}).error().code(), ErrorCode::too_large);
  ASSERT_TRUE(write(**far, {"123456789"}));
  EXPECT_EQ(read(**narrow).error().code(), ErrorCode::too_large);
}

TEST_F(LocalSocketTest, ReadGivesUpAfterItsTimeoutAndTheConnectionStaysUsable) {
  Pair pair = connected();
  EXPECT_EQ(read(*pair.far, 10ms).error().code(), ErrorCode::exhausted);
  ASSERT_TRUE(write(*pair.near, {"late"}));
  EXPECT_EQ(as_text(*read(*pair.far)), "late");
}

TEST_F(LocalSocketTest, WriteGivesUpWhenThePeerDoesNotRead) {
  Pair pair = connected({.frame_bytes_max = std::size_t{2} << 20, .write_timeout = 20ms});
  EXPECT_EQ(write(*pair.near, {std::string(std::size_t{2} << 20, 'b')}).error().code(),
            ErrorCode::exhausted);
}

// What each side of a connection does while the other waits.
Task<void> read_into(LocalSocket& socket, std::chrono::milliseconds timeout,
                     std::optional<Result<std::vector<std::byte>>>& outcome) {
  outcome = co_await socket.read(timeout);
}

Task<void> read_all(LocalSocket& socket, int& frames) {
  while (true) {
    const auto frame = co_await socket.read();
    if (!frame) break;
    ++frames;
  }
}

Task<void> write_at_a_pace(Loop& loop, LocalSocket& socket, int frames) {
  const std::array<Frame, 1> frame{as_bytes("x")};
  for (int i = 0; i < frames; ++i) {
    const Result<void> written = co_await socket.write(frame);
    if (!written) break;
    co_await loop.sleep_for(20ms);
  }
  socket.close();
}

TEST_F(LocalSocketTest, WriteGivesUpAlsoWhileThePeerKeepsSending) {
  Pair pair = connected({.write_timeout = 100ms});
  int frames = 0;
  spawn(read_all(*pair.near, frames));
  spawn(write_at_a_pace(loop_, *pair.far, 50));
  EXPECT_EQ(write(*pair.near, {std::string(1 << 20, 'x')}).error().code(), ErrorCode::exhausted);
  EXPECT_GT(frames, 1);
  pair.near->close();
  loop_.run_until_done(loop_.sleep_for(30ms));
}

TEST_F(LocalSocketTest, AReadsTimeoutOutlivesAWriteAndDoesNotEndIt) {
  for (const auto pause : {20ms, 200ms}) {  // the write ends before the read is due, and after
    Pair pair = connected();
    const std::string text(1 << 20, 'x');
    Result<void> written = fail({ErrorCode::unavailable, "not yet"});
    std::optional<Result<std::vector<std::byte>>> nothing;
    spawn(write_big(*pair.near, text, written));
    spawn(read_into(*pair.near, 100ms, nothing));
    loop_.run_until_done(loop_.sleep_for(pause));
    EXPECT_EQ(read(*pair.far)->size(), text.size());
    EXPECT_EQ(as_text(*read(*pair.far)), "end");
    loop_.run_until_done(loop_.sleep_for(200ms));
    EXPECT_TRUE(written);
    ASSERT_TRUE(nothing);
    EXPECT_EQ(nothing->error().code(), ErrorCode::exhausted);
  }
}

TEST_F(LocalSocketTest, ReadEndsWhenThePeerCloses) {
  Pair pair = connected();
  pair.near->close();
  EXPECT_EQ(read(*pair.far).error().code(), ErrorCode::unavailable);
  EXPECT_FALSE(write(*pair.far, {"x"}));
}

TEST_F(LocalSocketTest, CloseEndsAReadUnderWay) {
  Pair pair = connected();
  loop_.post([&] { pair.far->close(); });
  EXPECT_EQ(read(*pair.far, {}).error().code(), ErrorCode::unavailable);
}

TEST_F(LocalSocketTest, KnowsThePeersUserAndGuardsThePath) {
  Pair pair = connected();
  EXPECT_EQ(pair.far->peer_uid(), ::geteuid());
  EXPECT_EQ(pair.near->peer_uid(), ::geteuid());
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

TEST_F(LocalSocketTest, ListenReplacesAStaleSocketAndLeavesALiveOne) {
  auto first = LocalListener::listen(loop_, path_);
  ASSERT_TRUE(first);
  EXPECT_EQ(LocalListener::listen(loop_, path_).error().code(), ErrorCode::conflict);
  ASSERT_EQ(::link(path_.c_str(), (path_ + "2").c_str()), 0);  // survives as after kill -9
  (*first)->close();
  ASSERT_EQ(::rename((path_ + "2").c_str(), path_.c_str()), 0);
  EXPECT_TRUE(LocalListener::listen(loop_, path_));
}

TEST_F(LocalSocketTest, ConnectFailsWhereNobodyListens) {
  EXPECT_EQ(loop_.run_until_done(LocalSocket::connect(loop_, path_)).error().code(),
            ErrorCode::unavailable);
  EXPECT_EQ(loop_.run_until_done(LocalSocket::connect(loop_, std::string(200, 'p'))).error().code(),
            ErrorCode::invalid_argument);
}

TEST_F(LocalSocketTest, AcceptEndsWhenTheListenerCloses) {
  auto listener = LocalListener::listen(loop_, path_);
  ASSERT_TRUE(listener);
  loop_.post([&] { (*listener)->close(); });
  EXPECT_EQ(loop_.run_until_done((*listener)->accept()).error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::async

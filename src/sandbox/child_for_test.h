// Runs a piece of a test in a process of its own, because a sandbox cannot be left again.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace strongroom::sandbox {

// ThreadSanitizer's runtime keeps a thread of its own in every process, and enter() refuses to
// leave one outside of the sandbox.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kHasExtraThread = true;
#else
inline constexpr bool kHasExtraThread = false;
#endif

// SandboxFixture skips where a test process cannot enter the sandbox.
class SandboxFixture : public testing::Test {
 protected:
  void SetUp() override {
    if (kHasExtraThread) GTEST_SKIP() << "ThreadSanitizer has a thread of its own";
  }
};

// Findings collects what went otherwise than expected in the child.
class Findings {
 public:
  void expect(bool holds, const std::string& what) {
    if (!holds) text_ += what + " (errno " + std::to_string(errno) + ")\n";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What `body(findings)` found in a child process, or how the child died.
template <class Body>
std::string in_child(Body body) {
  std::array<int, 2> channel{};
  if (::pipe(channel.data()) != 0) return "pipe failed";
  const pid_t child = ::fork();
  if (child == 0) {
    Findings findings;
    body(findings);
    const std::string& text = findings.text();
    const bool sent =
        ::write(channel[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(sent ? 0 : 1);
  }
  ::close(channel[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(channel[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(channel[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) text += "child ended with status " + std::to_string(status);
  return text;
}

// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = testing::TempDir() + "sandbox_test.XXXXXX";
};

// A TCP socket bound to 127.0.0.1; with `port` 0 the kernel picks one. -1 when it cannot be bound.
inline int bind_tcp(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

inline std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

inline bool connect_tcp(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::close(fd);
  errno = error;
  return result == 0;
}

// A listener on a port of its own, open as long as the object lives.
class Listener {
 public:
  Listener() : fd_(bind_tcp(0)), port_(port_of(fd_)) { EXPECT_EQ(::listen(fd_, 8), 0); }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_;
};

// A Unix socket that somebody listens on, as long as the object lives.
class UnixListener {
 public:
  explicit UnixListener(std::string path)
      : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
  }
  ~UnixListener() { ::close(fd_); }
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  std::string path_;
  int fd_;
};

// A port that nobody has now.
inline std::uint16_t free_port() {
  const int fd = bind_tcp(0);
  const std::uint16_t port = port_of(fd);
  ::close(fd);
  return port;
}

}  // namespace strongroom::sandbox

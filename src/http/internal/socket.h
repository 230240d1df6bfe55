// Socket: a non-blocking stream socket of which Asio watches the readiness. Bytes are moved by the
// Transport over it, with plain system calls.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "async/asio.h"
#include "async/loop.h"
#include "base/result.h"

namespace strongroom::http::internal {

// Owns a file descriptor that is not yet on a Loop.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Belongs to its Loop's thread. At most one wait at a time in each direction.
class Socket {
 public:
  Socket(async::Loop& loop, FileDescriptor fd) : descriptor_(loop.context(), fd.release()) {}

  [[nodiscard]] int fd() noexcept { return descriptor_.native_handle(); }
  // co_await gives a tuple of one error code; set when the wait was canceled.
  [[nodiscard]] auto ready(bool to_write) {
    using boost::asio::posix::descriptor_base;
    return async::completion<>([this, to_write](auto done) {
      descriptor_.async_wait(to_write ? descriptor_base::wait_write : descriptor_base::wait_read,
                             std::move(done));
    });
  }
  // Calls `done(error)` once, when there is something to read or accept, or the wait is canceled.
  template <class Done>
  void when_readable(Done done) {
    descriptor_.async_wait(boost::asio::posix::descriptor_base::wait_read, std::move(done));
  }
  // True when a read would not block: bytes, the peer's end, or an error.
  [[nodiscard]] bool has_input() noexcept;
  // Ends the waits under way.
  void cancel() noexcept;
  void close() noexcept;

 private:
  boost::asio::posix::stream_descriptor descriptor_;
};

// A listening TCP socket with SO_REUSEPORT. invalid_argument: not an IP address; unavailable
// (errno).
[[nodiscard]] Result<FileDescriptor> listen_tcp(const std::string& address, std::uint16_t port);
// A listening Unix socket, mode 0660, in place of a dead one. conflict: a process listens there;
// invalid_argument: the path is too long; unavailable (errno).
[[nodiscard]] Result<FileDescriptor> listen_unix(const std::string& path);
[[nodiscard]] std::uint16_t local_port(int fd) noexcept;

// A connection that was accepted.
struct Accepted {
  FileDescriptor fd;
  std::string source;        // the peer's IP address, or "unix"
  std::optional<uid_t> uid;  // Unix sockets only
};
// Empty when none waits. unavailable (errno): out of descriptors or memory; try later.
[[nodiscard]] Result<std::optional<Accepted>> accept(int listener);

// Begins to connect; the socket is writable once that has ended (see connect_error).
[[nodiscard]] Result<FileDescriptor> start_connect_tcp(const std::string& ip, std::uint16_t port);
[[nodiscard]] Result<FileDescriptor> start_connect_unix(const std::string& path);
// Who listens at the other end of a connected Unix socket, or connected to it.
[[nodiscard]] std::optional<uid_t> peer_uid(int fd) noexcept;
// How it ended: 0 or errno.
[[nodiscard]] int connect_error(int fd) noexcept;

}  // namespace strongroom::http::internal

// Sockets by their system calls.
#include "http/internal/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/try.h"

namespace strongroom::http::internal {
namespace {

constexpr int kBacklog = 1024;

// An address of any of our families.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

Error system_error() {
  return Error{ErrorCode::unavailable, "a socket call failed"}.with_detail(
      static_cast<std::uint32_t>(errno));
}

Result<Address> tcp_address(const std::string& ip, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    return fail({ErrorCode::invalid_argument, "the address is not an IP address"});
  }
  return address;
}

Result<Address> unix_address(const std::string& path) {
  Address address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof local->sun_path) {
    return fail({ErrorCode::invalid_argument, "the socket's path is empty or too long"});
  }
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, path.c_str(), path.size() + 1);
  address.size = sizeof *local;
  return address;
}

Result<FileDescriptor> open_socket(const Address& address) {
  FileDescriptor fd(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail(system_error());
  return fd;
}

bool set_option(int fd, int level, int name) noexcept {
  const int on = 1;
  return ::setsockopt(fd, level, name, &on, sizeof on) == 0;
}

Result<FileDescriptor> start_connect(const Address& address) {
  SR_TRY(FileDescriptor fd, open_socket(address));
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    return fail(system_error());
  }
  return fd;
}

// A socket file outlives a process that was killed. One that refuses connections is such a file.
Result<void> remove_dead_socket(const std::string& path, const Address& address) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return fail({ErrorCode::conflict, "the path is not a socket"});
  SR_TRY(const FileDescriptor probe, open_socket(address));
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno != ECONNREFUSED) {
    return fail({ErrorCode::conflict, "another process listens on the socket"});
  }
  if (::unlink(path.c_str()) != 0) return fail(system_error());
  return {};
}

std::string ip_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address.storage.ss_family == AF_INET6
                          ? static_cast<const void*>(
                                &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr)
                          : &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr;
  if (::inet_ntop(address.storage.ss_family, bytes, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void Socket::cancel() noexcept {
  boost::system::error_code ignored;
  descriptor_.cancel(ignored);
}

bool Socket::has_input() noexcept {
  char first = 0;
  return ::recv(fd(), &first, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

void Socket::close() noexcept {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

Result<FileDescriptor> listen_tcp(const std::string& ip, std::uint16_t port) {
  SR_TRY(const Address address, tcp_address(ip, port));
  SR_TRY(FileDescriptor fd, open_socket(address));
  // TCP_NODELAY is inherited by what is accepted: one system call less per connection.
  if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR) ||
      !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT) ||
      !set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY) ||
      ::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return fail(system_error());
  }
  return fd;
}

Result<FileDescriptor> listen_unix(const std::string& path) {
  SR_TRY(const Address address, unix_address(path));
  SR_CHECK_OK(remove_dead_socket(path, address));
  SR_TRY(FileDescriptor fd, open_socket(address));
  // Nobody can connect between bind and chmod: that takes listen.
  if (::bind(fd.get(), address.get(), address.size) != 0 || ::chmod(path.c_str(), 0660) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail(system_error());
  }
  return fd;
}

std::uint16_t local_port(int fd) noexcept {
  Address address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.size) != 0) return 0;
  // The port lies at the same place in both families.
  if (address.storage.ss_family != AF_INET && address.storage.ss_family != AF_INET6) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

Result<std::optional<Accepted>> accept(int listener) {
  Address address;
  address.size = sizeof address.storage;
  FileDescriptor fd(
      ::accept4(listener, address.get(), &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return std::nullopt;
    return fail(system_error());
  }
  if (address.storage.ss_family == AF_UNIX) {
    const std::optional<uid_t> uid = peer_uid(fd.get());
    return Accepted{.fd = std::move(fd), .source = "unix", .uid = uid};
  }
  return Accepted{.fd = std::move(fd), .source = ip_text(address), .uid = std::nullopt};
}

Result<FileDescriptor> start_connect_tcp(const std::string& ip, std::uint16_t port) {
  SR_TRY(const Address address, tcp_address(ip, port));
  SR_TRY(FileDescriptor fd, start_connect(address));
  if (!set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY)) return fail(system_error());
  return fd;
}

Result<FileDescriptor> start_connect_unix(const std::string& path) {
  SR_TRY(const Address address, unix_address(path));
  return start_connect(address);
}

std::optional<uid_t> peer_uid(int fd) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

int connect_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace strongroom::http::internal

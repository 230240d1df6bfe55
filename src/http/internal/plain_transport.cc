// The transport of Unix sockets: the kernel vouches for the peer and keeps the bytes on the host.
#include <sys/socket.h>

#include <cerrno>

#include "http/internal/transport.h"

namespace strongroom::http::internal {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int fd) noexcept : fd_(fd) {}

  IoStatus handshake() override { return IoStatus::done; }
  Io read(std::span<std::byte> into) override {
    const ssize_t size = ::recv(fd_, into.data(), into.size(), 0);
    if (size == 0) return {IoStatus::closed};
    return outcome(size, IoStatus::want_read);
  }
  Io write(std::span<const std::byte> bytes) override {
    return outcome(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), IoStatus::want_write);
  }
  bool has_pending() const override { return false; }
  void finish_writing() override { ::shutdown(fd_, SHUT_WR); }
  std::string peer_identity() const override { return {}; }

 private:
  static Io outcome(ssize_t size, IoStatus want) noexcept {
    if (size >= 0) return {IoStatus::done, static_cast<std::size_t>(size)};
    return {errno == EAGAIN || errno == EINTR ? want : IoStatus::failed};
  }
  int fd_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(int fd) { return std::make_unique<PlainTransport>(fd); }

}  // namespace strongroom::http::internal

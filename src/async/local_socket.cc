// Unix stream sockets on Asio's reactor. Every call tries the system call first and waits for the
// reactor only when the kernel has nothing or no room, so a busy connection pays for no timer.
#include "async/local_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>

#include "async/asio.h"
#include "base/encoding.h"

namespace strongroom::async {
namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kReadAheadBytes = std::size_t{64} << 10;
constexpr std::size_t kFramesPerWrite = 16;
constexpr int kBacklog = 128;
constexpr std::chrono::milliseconds kAcceptPause{50};  // when no descriptor is left

constexpr Error kClosed{ErrorCode::unavailable, "local connection is closed"};
constexpr Error kTimedOut{ErrorCode::exhausted, "local peer does not answer"};

std::uint32_t last_errno() { return static_cast<std::uint32_t>(errno); }

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail({ErrorCode::invalid_argument, "socket path is empty or too long"});
  }
  std::ranges::copy(path, address.sun_path);
  return address;
}

std::array<std::byte, kLengthBytes> length_of(Frame frame) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  return {static_cast<std::byte>(size >> 24), static_cast<std::byte>(size >> 16),
          static_cast<std::byte>(size >> 8), static_cast<std::byte>(size)};
}

int open_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

int connect_to(int descriptor, const sockaddr_un& address) {
  return ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

// True when some process accepts connections at `address`.
bool is_served(const sockaddr_un& address) {
  const int probe = open_socket();
  if (probe < 0) return false;
  const bool served = connect_to(probe, address) == 0 || errno == EAGAIN;
  ::close(probe);
  return served;
}

}  // namespace

struct LocalSocket::Impl : std::enable_shared_from_this<LocalSocket::Impl> {
  Impl(Loop& loop, int descriptor, LocalSocketLimits socket_limits)
      : socket(loop.context(), stream_protocol(), descriptor),
        reading(loop),
        writing(loop),
        limits(socket_limits) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
      peer_uid = credentials.uid;
    }
  }

  // A read and a write may wait at once: each has a timer and a cancellation of its own, so that
  // neither prolongs nor ends the other.
  struct Direction {
    explicit Direction(Loop& loop) : timer(loop.context()) {}
    boost::asio::steady_timer timer;
    boost::asio::cancellation_signal cancel;
    std::uint64_t number = 0;  // of the wait under way
  };

  // Waits until the socket is ready; `timeout` zero waits without end.
  Task<Result<void>> ready(Direction& direction, stream_protocol::socket::wait_type kind,
                           std::chrono::milliseconds timeout) {
    if (!socket.is_open()) co_return fail(kClosed);
    bool expired = false;
    if (timeout.count() > 0) start_timer(direction, timeout, expired);
    auto [error] = co_await completion<>([&](auto done) {
      socket.async_wait(kind, bind_cancellation_slot(direction.cancel.slot(), std::move(done)));
    });
    ++direction.number;
    if (timeout.count() > 0) direction.timer.cancel();
    if (expired) co_return fail(kTimedOut);
    if (error) co_return fail(kClosed);
    co_return Result<void>{};
  }

  // A handler that was already on its way when the wait ended must touch nothing: `number` has
  // moved on by then.
  void start_timer(Direction& direction, std::chrono::milliseconds timeout, bool& expired) {
    direction.timer.expires_after(timeout);
    direction.timer.async_wait([self = shared_from_this(), &direction, number = direction.number,
                                &expired](error_code error) {
      if (error || direction.number != number) return;
      expired = true;
      direction.cancel.emit(boost::asio::cancellation_type::terminal);
    });
  }

  // Reads what there is, at least one byte, behind the unread bytes; `wanted` of them must fit.
  Task<Result<void>> fill(std::size_t wanted, std::chrono::milliseconds timeout) {
    std::copy(in.begin() + taken, in.begin() + filled, in.begin());
    filled -= std::exchange(taken, 0);
    in.resize(static_cast<std::size_t>(filled) + kReadAheadBytes + wanted);
    while (true) {
      const ssize_t got = ::recv(socket.native_handle(), in.data() + filled,
                                 in.size() - static_cast<std::size_t>(filled), MSG_DONTWAIT);
      if (got > 0) filled += got;
      if (got > 0) co_return Result<void>{};
      if (got == 0) co_return fail(kClosed);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return fail(kClosed.with_detail(last_errno()));
      SR_CO_CHECK_OK(co_await ready(reading, stream_protocol::socket::wait_read, timeout));
    }
  }

  Frame unread() const noexcept {
    return std::span(in).subspan(static_cast<std::size_t>(taken),
                                 static_cast<std::size_t>(filled - taken));
  }

  // Writes the whole of `parts`, consuming it.
  Task<Result<void>> send(std::span<iovec> parts) {
    while (!parts.empty()) {
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        parts = without(parts, static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        SR_CO_CHECK_OK(
            co_await ready(writing, stream_protocol::socket::wait_write, limits.write_timeout));
      } else if (errno != EINTR) {
        co_return fail(kClosed.with_detail(last_errno()));
      }
    }
    co_return Result<void>{};
  }

  static std::span<iovec> without(std::span<iovec> parts, std::size_t sent) {
    while (!parts.empty() && sent >= parts.front().iov_len) {
      sent -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (!parts.empty()) {
      parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + sent;
      parts.front().iov_len -= sent;
    }
    return parts;
  }

  stream_protocol::socket socket;
  Direction reading, writing;
  LocalSocketLimits limits;
  uid_t peer_uid = static_cast<uid_t>(-1);
  std::vector<std::byte> in;  // received: [0, taken) is delivered, [taken, filled) is not
  std::ptrdiff_t taken = 0;
  std::ptrdiff_t filled = 0;
};

LocalSocket::LocalSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalSocket::~LocalSocket() { close(); }

uid_t LocalSocket::peer_uid() const noexcept { return impl_->peer_uid; }

Task<Result<std::unique_ptr<LocalSocket>>> LocalSocket::connect(Loop& loop, std::string path,
                                                                LocalSocketLimits limits) {
  SR_CO_TRY(const sockaddr_un address, address_of(path));
  const int descriptor = open_socket();
  if (descriptor < 0) {
    co_return fail(Error{ErrorCode::unavailable, "cannot open a socket"}.with_detail(last_errno()));
  }
  // A Unix socket connects at once or not at all: EAGAIN means that the listener's queue is full.
  if (connect_to(descriptor, address) != 0) {
    const std::uint32_t error = last_errno();
    ::close(descriptor);
    co_return fail(Error{ErrorCode::unavailable, "nobody listens"}.with_detail(error));
  }
  co_return std::unique_ptr<LocalSocket>(
      new LocalSocket(std::make_shared<Impl>(loop, descriptor, limits)));
}

Task<Result<void>> LocalSocket::write(std::span<const Frame> frames) {
  while (!frames.empty()) {
    const std::size_t count = std::min(frames.size(), kFramesPerWrite);
    std::array<std::array<std::byte, kLengthBytes>, kFramesPerWrite> lengths;
    std::array<iovec, 2 * kFramesPerWrite> parts;
    for (std::size_t i = 0; i < count; ++i) {
      const Frame frame = frames[i];
      if (frame.size() > impl_->limits.frame_bytes_max) {
        co_return fail({ErrorCode::too_large, "frame is too long to send"});
      }
      lengths[i] = length_of(frame);
      parts[2 * i] = {lengths[i].data(), kLengthBytes};
      parts[2 * i + 1] = {const_cast<std::byte*>(frame.data()), frame.size()};
    }
    SR_CO_CHECK_OK(co_await impl_->send(std::span(parts).first(2 * count)));
    frames = frames.subspan(count);
  }
  co_return Result<void>{};
}

Task<Result<std::vector<std::byte>>> LocalSocket::read(std::chrono::milliseconds timeout) {
  Impl& state = *impl_;
  std::size_t wanted = kLengthBytes;
  while (state.unread().size() < wanted) SR_CO_CHECK_OK(co_await state.fill(wanted, timeout));
  const std::size_t size = read_u32be(state.unread());
  if (size > state.limits.frame_bytes_max) {
    co_return fail({ErrorCode::too_large, "frame is too long to receive"});
  }
  wanted += size;
  while (state.unread().size() < wanted) SR_CO_CHECK_OK(co_await state.fill(wanted, timeout));
  const Frame frame = state.unread().subspan(kLengthBytes, size);
  std::vector<std::byte> bytes(frame.begin(), frame.end());
  state.taken += static_cast<std::ptrdiff_t>(wanted);
  co_return bytes;
}

void LocalSocket::close() noexcept {
  error_code ignored;
  impl_->reading.timer.cancel();
  impl_->writing.timer.cancel();
  impl_->socket.close(ignored);
}

struct LocalListener::Impl {
  Impl(Loop& owner, int descriptor, std::string socket_path, LocalSocketLimits socket_limits)
      : loop(owner),
        acceptor(owner.context(), stream_protocol(), descriptor),
        path(std::move(socket_path)),
        limits(socket_limits) {}
  Loop& loop;
  stream_protocol::acceptor acceptor;
  std::string path;
  LocalSocketLimits limits;
};

LocalListener::LocalListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalListener::~LocalListener() { close(); }

Result<std::unique_ptr<LocalListener>> LocalListener::listen(Loop& loop, std::string path,
                                                             LocalSocketLimits limits) {
  SR_TRY(const sockaddr_un address, address_of(path));
  if (is_served(address)) return fail({ErrorCode::conflict, "another process listens there"});
  ::unlink(path.c_str());
  const int descriptor = open_socket();
  // The mode is set before listen(): nobody can connect while the umask's mode stands.
  if (descriptor < 0 ||
      ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0660) != 0 || ::listen(descriptor, kBacklog) != 0) {
    const std::uint32_t error = last_errno();
    if (descriptor >= 0) ::close(descriptor);
    return fail(Error{ErrorCode::unavailable, "cannot listen on the socket"}.with_detail(error));
  }
  return std::unique_ptr<LocalListener>(
      new LocalListener(std::make_unique<Impl>(loop, descriptor, std::move(path), limits)));
}

Task<Result<std::unique_ptr<LocalSocket>>> LocalListener::accept() {
  while (impl_->acceptor.is_open()) {
    const int descriptor =
        ::accept4(impl_->acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
      co_return std::unique_ptr<LocalSocket>(new LocalSocket(
          std::make_shared<LocalSocket::Impl>(impl_->loop, descriptor, impl_->limits)));
    }
    if (errno == EMFILE || errno == ENFILE) co_await impl_->loop.sleep_for(kAcceptPause);
    auto [error] = co_await completion<>(
        [&](auto done) { impl_->acceptor.async_wait(stream_protocol::socket::wait_read, done); });
    if (error) break;
  }
  co_return fail({ErrorCode::unavailable, "listener is closed"});
}

void LocalListener::close() noexcept {
  if (!impl_->acceptor.is_open()) return;
  error_code ignored;
  impl_->acceptor.close(ignored);
  ::unlink(impl_->path.c_str());
}

}  // namespace strongroom::async

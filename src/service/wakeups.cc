// signalfd for the signals, eventfd for the threads, one poll for both.
#include "service/wakeups.h"

#include <fmt/core.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "base/try.h"

namespace strongroom::service {
namespace {

sigset_t handled_signals() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void block_signals() noexcept {
  const sigset_t set = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<Wakeups> Wakeups::create() {
  const sigset_t set = handled_signals();
  const int signal_fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  const int event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (signal_fd >= 0 && event_fd >= 0) return Wakeups(signal_fd, event_fd);
  const auto reason = static_cast<std::uint32_t>(errno);
  if (signal_fd >= 0) ::close(signal_fd);
  if (event_fd >= 0) ::close(event_fd);
  return fail(Error{ErrorCode::unavailable, "no descriptor for signals"}.with_detail(reason));
}

Wakeups::Wakeups(Wakeups&& other) noexcept
    : signal_fd_(std::exchange(other.signal_fd_, -1)),
      event_fd_(std::exchange(other.event_fd_, -1)),
      events_(std::move(other.events_)) {}

Wakeups::~Wakeups() {
  if (signal_fd_ >= 0) ::close(signal_fd_);
  if (event_fd_ >= 0) ::close(event_fd_);
}

Wakeups::Wakeup Wakeups::wait(std::optional<std::chrono::milliseconds> patience) {
  std::array<pollfd, 2> polled{pollfd{signal_fd_, POLLIN, 0}, pollfd{event_fd_, POLLIN, 0}};
  ::poll(polled.data(), polled.size(), patience ? static_cast<int>(patience->count()) : -1);
  Wakeup wakeup;
  signalfd_siginfo signal{};
  while (::read(signal_fd_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    (signal.ssi_signo == SIGHUP ? wakeup.reload : wakeup.stop) = true;
    // Of kill() the kernel gives the user itself; of sigqueue() the sender says what it likes.
    const bool is_known = signal.ssi_signo == SIGHUP && signal.ssi_code == SI_USER;
    if (is_known) wakeup.reload_user = fmt::format("uid:{}", signal.ssi_uid);
  }
  std::uint64_t reports = 0;
  if (::read(event_fd_, &reports, sizeof reports) > 0) {
    const std::lock_guard lock(mutex_);
    wakeup.events.swap(events_);
  }
  return wakeup;
}

void Wakeups::report(Event event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  const std::uint64_t one = 1;
  // The counter never comes near its end, and nobody else has the descriptor.
  SR_CHECK(::write(event_fd_, &one, sizeof one) == static_cast<ssize_t>(sizeof one));
}

}  // namespace strongroom::service

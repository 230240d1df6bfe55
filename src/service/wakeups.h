// Wakeups: how the main thread of a daemon, which does no work itself, waits for signals and for
// its worker threads at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace strongroom::service {

// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it starts, so that only Wakeups sees
// them.
void block_signals() noexcept;

// Event is what a worker thread reports.
struct Event {
  enum class Kind { started, failed, drained };
  Kind kind;
  std::size_t worker = 0;
  std::optional<Error> error{};  // of `failed`
};

// Wakeups is made before the sandbox closes; afterwards it needs poll, read and write only.
class Wakeups {
 public:
  // unavailable (detail: errno). REQUIRES: block_signals() was called.
  [[nodiscard]] static Result<Wakeups> create();
  Wakeups(Wakeups&& other) noexcept;
  Wakeups& operator=(Wakeups&&) = delete;
  ~Wakeups();

  struct Wakeup {
    std::vector<Event> events;
    bool stop = false;    // SIGTERM or SIGINT
    bool reload = false;  // SIGHUP
    // Who sent it, as an entry's actor ("uid:0"); empty when the kernel does not tell.
    std::string reload_user{};
  };
  // Whatever came since the last call; waits for it at most `patience` (for ever without one).
  [[nodiscard]] Wakeup wait(std::optional<std::chrono::milliseconds> patience);
  // Any thread.
  void report(Event event);

 private:
  Wakeups(int signal_fd, int event_fd) noexcept : signal_fd_(signal_fd), event_fd_(event_fd) {}
  int signal_fd_;
  int event_fd_;
  std::mutex mutex_;
  std::vector<Event> events_;
};

}  // namespace strongroom::service

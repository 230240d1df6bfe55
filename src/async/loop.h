// Loop is one worker thread's event loop. A request, its connections and its timers stay on one
// Loop, so nothing that belongs to a Loop needs a lock. (Asio's io_context stands behind it and
// shows only in async/asio.h, for the modules that do I/O.)
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "async/task.h"

namespace boost::asio {
class io_context;
}

namespace strongroom::async {

class Loop {
 public:
  Loop();
  ~Loop();  // pending operations are dropped with their coroutines unresumed
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs what is posted until stop(), which also ends a run() that has not begun yet. Called once,
  // from one thread.
  void run();
  // Makes run() return soon. Any thread, any number of times.
  void stop();
  // Runs `work` on the loop's thread, never inside this call. Any thread.
  void post(std::move_only_function<void()> work);
  // Resumes the caller after `duration`. Loop's thread only.
  [[nodiscard]] Task<void> sleep_for(std::chrono::nanoseconds duration);
  // Calls `work` once on the loop's thread, `delay` from now; never, where the Loop ends before.
  void post_after(std::chrono::nanoseconds delay, std::move_only_function<void()> work);
  // Runs the loop until `task` has ended; for tests and command-line tools.
  template <class T>
  T run_until_done(Task<T> task);

  boost::asio::io_context& context() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  void restart();
};

template <class T>
T Loop::run_until_done(Task<T> task) {
  restart();
  if constexpr (std::is_void_v<T>) {
    bool done = false;
    auto body = [](Loop& loop, Task<void> inner, bool& flag) -> Task<void> {
      co_await std::move(inner);
      flag = true;
      loop.stop();
    };
    spawn(body(*this, std::move(task), done));
    if (!done) run();
    SR_CHECK(done);
  } else {
    std::optional<T> value;
    auto body = [](Loop& loop, Task<T> inner, std::optional<T>& out) -> Task<void> {
      out.emplace(co_await std::move(inner));
      loop.stop();
    };
    spawn(body(*this, std::move(task), value));
    if (!value) run();
    SR_CHECK(value.has_value());
    return *std::move(value);
  }
}

}  // namespace strongroom::async

// Deadlines: one coarse timer per Loop user instead of one per connection. Arming and disarming
// cost a list link; the timer looks at all armed deadlines when the next one has passed, but no
// more than a few times within the shortest timeout. While nothing passes nobody wakes.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "async/asio.h"
#include "async/loop.h"

namespace strongroom::http::internal {

using SteadyClock = std::chrono::steady_clock;

class Deadlines;

// Deadline calls its function once, on the Loop's thread, some time after it has passed. The
// function may arm, disarm or destroy any Deadline. Destroying disarms. It must not outlive its
// Deadlines.
class Deadline {
 public:
  Deadline(Deadlines& deadlines, std::move_only_function<void()> on_passed)
      : deadlines_(deadlines), on_passed_(std::move(on_passed)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // Passes after `timeout`, whatever was armed before.
  void arm(std::chrono::milliseconds timeout);
  void disarm() noexcept;

 private:
  friend class Deadlines;
  Deadlines& deadlines_;
  std::move_only_function<void()> on_passed_;
  SteadyClock::time_point at_{};
  Deadline* next_ = nullptr;
  Deadline* previous_ = nullptr;
  bool armed_ = false;
};

// The armed deadlines of one Loop's server or client. `shortest` sets how late one may pass:
// a quarter of it, 250 ms at most.
class Deadlines {
 public:
  Deadlines(async::Loop& loop, std::chrono::milliseconds shortest);
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

 private:
  friend class Deadline;
  void look_at(SteadyClock::time_point at);  // or sooner, where the timer is set so already
  void look();

  // A plain handler, not a coroutine, so that a Loop that ends early drops it whole. It may come
  // after this object's end, so it asks `alive_` first.
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds interval_;
  std::shared_ptr<Deadlines*> alive_;
  Deadline* first_ = nullptr;
  std::optional<SteadyClock::time_point> looks_at_;  // what the timer is set to
};

}  // namespace strongroom::http::internal

// A doubly linked list of armed deadlines and one timer.
#include "http/internal/deadline.h"

#include <algorithm>

namespace strongroom::http::internal {

void Deadline::arm(std::chrono::milliseconds timeout) {
  at_ = SteadyClock::now() + timeout;
  deadlines_.look_at(at_);
  if (armed_) return;
  armed_ = true;
  previous_ = nullptr;
  next_ = deadlines_.first_;
  if (next_ != nullptr) next_->previous_ = this;
  deadlines_.first_ = this;
}

void Deadline::disarm() noexcept {
  if (!armed_) return;
  armed_ = false;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : deadlines_.first_) = next_;
}

Deadlines::Deadlines(async::Loop& loop, std::chrono::milliseconds shortest)
    : timer_(loop.context()),
      interval_(
          std::clamp(shortest / 4, std::chrono::milliseconds(1), std::chrono::milliseconds(250))),
      alive_(std::make_shared<Deadlines*>(this)) {}

void Deadlines::look_at(SteadyClock::time_point at) {
  if (looks_at_ && *looks_at_ <= at) return;
  looks_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    const auto self = alive.lock();
    if (self && !error) (*self)->look();
  });
}

void Deadlines::look() {
  const SteadyClock::time_point now = SteadyClock::now();
  const std::weak_ptr alive = alive_;
  // Each call may change the list, so the search begins anew after it; what was armed meanwhile
  // lies in the future.
  for (;;) {
    Deadline* passed = first_;
    while (passed != nullptr && passed->at_ > now) passed = passed->next_;
    if (passed == nullptr) break;
    passed->disarm();
    passed->on_passed_();
    if (alive.expired()) return;
  }
  looks_at_.reset();
  const Deadline* next = first_;
  for (const Deadline* armed = first_; armed != nullptr; armed = armed->next_) {
    if (armed->at_ < next->at_) next = armed;
  }
  if (next != nullptr) look_at(std::max(next->at_, now + interval_));
}

}  // namespace strongroom::http::internal

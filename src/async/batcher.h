// Batcher: natural batching, one mechanism for database, journal and audit client. What arrives
// while a batch is under way is the next batch; an idle batcher flushes what one turn of its loop
// has brought, so batching adds no latency and needs no timer, unless its owner sets a pace. Each
// item has its own fate.
#pragma once

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "base/try.h"

namespace strongroom::async {

struct BatcherLimits {
  std::size_t batch_max = 64;     // items of one flush
  std::size_t queue_max = 4096;   // items waiting; more are refused with `exhausted`
  std::size_t in_flight_max = 1;  // flushes under way at once
  // Least time from one flush to the next: where a flush costs much and ends soon, batches would
  // else be small under load. What arrives after a rest goes out at once.
  std::chrono::microseconds pace{0};
  // An item that has waited so long for its flush to begin is refused with `exhausted`; 0: none is.
  std::chrono::milliseconds wait_max{0};
};

// A Batcher belongs to its Loop and outlives every submit() under way.
template <class Item, class Outcome>
class Batcher {
 public:
  // Flush works a batch off and gives one Result per item, in the items' order.
  using Flush = std::move_only_function<Task<std::vector<Result<Outcome>>>(std::vector<Item>)>;

  Batcher(Loop& loop, BatcherLimits limits, Flush flush)
      : loop_(loop), limits_(limits), flush_(std::move(flush)) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Waits until the batch that took `item` is worked off. exhausted: no batch took it, for the
  // queue is full, or it has waited for wait_max.
  [[nodiscard]] Task<Result<Outcome>> submit(Item item) {
    if (waiting_.size() >= limits_.queue_max) {
      co_return fail({ErrorCode::exhausted, "queue is full"});
    }
    Slot slot{std::move(item), {}, {}, SteadyClock::now() + limits_.wait_max};
    waiting_.push_back(&slot);
    if (limits_.wait_max.count() > 0) watch();
    co_await Enqueued{*this, slot};
    co_return *std::move(slot.outcome);
  }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  using SteadyClock = std::chrono::steady_clock;

  struct Slot {
    Item item;
    std::optional<Result<Outcome>> outcome;
    std::coroutine_handle<> waiter;
    SteadyClock::time_point late_at;
  };

  struct Enqueued {
    Batcher& batcher;
    Slot& slot;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      slot.waiter = waiter;
      batcher.start();
    }
    void await_resume() const noexcept {}
  };

  // Lets the next batch go out once the loop has run what was ready before: requests that one event
  // woke ride together instead of the first alone.
  void start() {
    if (starting_ || waiting_.empty() || in_flight_ >= limits_.in_flight_max) return;
    starting_ = true;
    if (!due()) {
      spawn(start_later());
      return;
    }
    loop_.post([this] {
      starting_ = false;
      spawn(work_off(take_batch()));
    });
  }

  bool due() const { return SteadyClock::now() >= next_flush_; }

  Task<void> start_later() {
    co_await loop_.sleep_for(next_flush_ - SteadyClock::now());
    starting_ = false;
    co_await work_off(take_batch());
  }

  std::vector<Slot*> take_batch() {
    ++in_flight_;
    if (limits_.pace.count() > 0) next_flush_ = SteadyClock::now() + limits_.pace;
    const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), limits_.batch_max));
    std::vector<Slot*> slots(waiting_.begin(), waiting_.begin() + count);
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
    start();  // for what is left
    return slots;
  }

  Task<void> work_off(std::vector<Slot*> slots) {
    if (slots.empty()) {  // all were late
      --in_flight_;
      co_return;
    }
    std::vector<Item> items;
    items.reserve(slots.size());
    for (Slot* slot : slots) items.push_back(std::move(slot->item));
    std::vector<Result<Outcome>> outcomes = co_await flush_(std::move(items));
    SR_CHECK(outcomes.size() == slots.size());
    // All outcomes first: a resumed waiter may destroy its slot and submit again.
    for (std::size_t i = 0; i < slots.size(); ++i)
      slots[i]->outcome.emplace(std::move(outcomes[i]));
    --in_flight_;
    // What has gathered meanwhile goes out before this batch's waiters are busy with their answers.
    if (due() && !starting_ && !waiting_.empty()) {
      spawn(work_off(take_batch()));
    } else {
      start();
    }
    for (Slot* slot : slots) slot->waiter.resume();
  }

  // Comes back when the oldest item's time is over, while there is one.
  void watch() {
    if (watching_ || waiting_.empty()) return;
    watching_ = true;
    loop_.post_after(waiting_.front()->late_at - SteadyClock::now(),
                     [this, lives = std::weak_ptr(lives_)] {
                       if (lives.expired()) return;
                       watching_ = false;
                       refuse_late();
                     });
  }

  void refuse_late() {
    const auto now = SteadyClock::now();
    std::vector<Slot*> late;
    while (!waiting_.empty() && waiting_.front()->late_at <= now) {
      late.push_back(waiting_.front());
      waiting_.pop_front();
    }
    watch();
    for (Slot* slot : late) {
      slot->outcome.emplace(fail({ErrorCode::exhausted, "waited too long"}));
    }
    for (Slot* slot : late) slot->waiter.resume();
  }

  Loop& loop_;
  BatcherLimits limits_;
  Flush flush_;
  std::deque<Slot*> waiting_;
  std::size_t in_flight_ = 0;
  bool starting_ = false;
  SteadyClock::time_point next_flush_{};
  bool watching_ = false;
  // Nobody else holds it: a timer that ends after the Batcher sees so.
  std::shared_ptr<bool> lives_ = std::make_shared<bool>(true);
};

}  // namespace strongroom::async

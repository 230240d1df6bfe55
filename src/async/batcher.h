// Batcher: natural batching, one mechanism for database, journal and audit client. What arrives
// while a batch is under way is the next batch; an idle batcher flushes the first item at once, so
// batching adds no latency and needs no timer. Each item has its own fate.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "base/try.h"

namespace strongroom::async {

struct BatcherLimits {
  std::size_t batch_max = 64;     // items of one flush
  std::size_t queue_max = 4096;   // items waiting; more are refused with `exhausted`
  std::size_t in_flight_max = 1;  // flushes under way at once
};

// A Batcher belongs to one Loop and outlives every submit() under way.
template <class Item, class Outcome>
class Batcher {
 public:
  // Flush works a batch off and gives one Result per item, in the items' order.
  using Flush = std::move_only_function<Task<std::vector<Result<Outcome>>>(std::vector<Item>)>;

  Batcher(BatcherLimits limits, Flush flush) : limits_(limits), flush_(std::move(flush)) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Waits until the batch that took `item` is worked off. exhausted: the queue is full.
  [[nodiscard]] Task<Result<Outcome>> submit(Item item) {
    if (waiting_.size() >= limits_.queue_max) {
      co_return fail({ErrorCode::exhausted, "queue is full"});
    }
    Slot slot{std::move(item), {}, {}};
    waiting_.push_back(&slot);
    co_await Enqueued{*this, slot};
    co_return *std::move(slot.outcome);
  }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  struct Slot {
    Item item;
    std::optional<Result<Outcome>> outcome;
    std::coroutine_handle<> waiter;
  };

  struct Enqueued {
    Batcher& batcher;
    Slot& slot;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      slot.waiter = waiter;
      if (batcher.in_flight_ < batcher.limits_.in_flight_max) spawn(batcher.drain());
    }
    void await_resume() const noexcept {}
  };

  Task<void> drain() {
    ++in_flight_;
    while (!waiting_.empty()) {
      const std::size_t count = std::min(waiting_.size(), limits_.batch_max);
      std::vector<Slot*> slots(waiting_.begin(),
                               waiting_.begin() + static_cast<std::ptrdiff_t>(count));
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
      std::vector<Item> items;
      items.reserve(count);
      for (Slot* slot : slots) items.push_back(std::move(slot->item));
      std::vector<Result<Outcome>> outcomes = co_await flush_(std::move(items));
      SR_CHECK(outcomes.size() == count);
      // All outcomes first: a resumed waiter may destroy its slot and submit again.
      for (std::size_t i = 0; i < count; ++i) slots[i]->outcome.emplace(std::move(outcomes[i]));
      for (Slot* slot : slots) slot->waiter.resume();
    }
    --in_flight_;
  }

  BatcherLimits limits_;
  Flush flush_;
  std::deque<Slot*> waiting_;
  std::size_t in_flight_ = 0;
};

}  // namespace strongroom::async

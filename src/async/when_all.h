// when_all: several tasks at once, and a caller that goes on when the last of them has ended.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

#include "async/task.h"

namespace strongroom::async {

namespace internal {

struct AllDone {
  std::vector<Task<void>> tasks;
  std::size_t open = 0;
  std::coroutine_handle<> waiter = nullptr;

  bool await_ready() const noexcept { return tasks.empty(); }
  bool await_suspend(std::coroutine_handle<> caller) {
    waiter = caller;
    open = tasks.size() + 1;  // ours too: tasks that end at once resume nobody
    for (Task<void>& task : tasks) spawn(count_down(std::move(task)));
    return --open > 0;
  }
  void await_resume() const noexcept {}

  Task<void> count_down(Task<void> task) {
    co_await std::move(task);
    if (--open == 0) waiter.resume();
  }
};

}  // namespace internal

// Starts `tasks` in their order, all on the caller's Loop, and ends when each of them has.
inline Task<void> when_all(std::vector<Task<void>> tasks) {
  internal::AllDone all{.tasks = std::move(tasks)};
  co_await all;
}

}  // namespace strongroom::async

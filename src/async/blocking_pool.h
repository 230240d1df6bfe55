// BlockingPool: threads for work that would hold up a Loop (a network HSM, PBKDF2, files). Bounded:
// a full queue refuses instead of growing.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "async/loop.h"
#include "base/result.h"

namespace strongroom::async {

class BlockingPool {
 public:
  BlockingPool(std::size_t threads, std::size_t queue_max);
  ~BlockingPool();  // works off what is queued, then joins; every Loop it resumes must still exist
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work`, which returns a Result, on a pool thread and resumes the caller on `loop`.
  // exhausted: the queue is full. Any thread.
  template <class Work>
  [[nodiscard]] Task<std::invoke_result_t<Work&>> run(Loop& loop, Work work) {
    std::optional<std::invoke_result_t<Work&>> outcome;
    Handover handover{*this, [&loop, &work, &outcome](std::coroutine_handle<> waiter) {
                        outcome.emplace(work());
                        loop.post([waiter] { waiter.resume(); });
                      }};
    if (!co_await handover) co_return fail({ErrorCode::exhausted, "worker pool is full"});
    co_return *std::move(outcome);
  }

 private:
  using Job = std::move_only_function<void()>;

  struct Handover {
    BlockingPool& pool;
    std::function<void(std::coroutine_handle<>)> body;
    bool accepted = true;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
      // Once submitted the coroutine may resume on its Loop at any moment: touch nothing of it
      // after.
      if (pool.submit([this, waiter] { body(waiter); })) return true;
      accepted = false;
      return false;
    }
    bool await_resume() const noexcept { return accepted; }
  };

  bool submit(Job job);
  void work_off();

  std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strongroom::async

// Turns: of each asker, a merchant or the platform, one question is with the search index at a
// time. Its database answers one after the other, and one that looks at many entries takes seconds:
// so another's waits for one of them, not for all that the first has asked.
#pragma once

#include <coroutine>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "async/loop.h"
#include "async/task.h"

namespace strongroom::connected::relay {

// Belongs to one Loop, which outlives it.
class Turns {
  using Waiting = std::deque<std::coroutine_handle<>>;
  using Taken = std::map<std::string, Waiting, std::less<>>;

 public:
  explicit Turns(async::Loop& loop) noexcept : loop_(loop) {}

  // Until it goes, the asker's others wait. The Turns outlive it.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : all_(std::exchange(other.all_, nullptr)), own_(other.own_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (all_ != nullptr) all_->pass_on(own_);
    }

   private:
    friend class Turns;
    Turn(Turns& all, Taken::iterator own) noexcept : all_(&all), own_(own) {}
    Turns* all_;
    Taken::iterator own_;
  };

  // First come, first served.
  [[nodiscard]] async::Task<Turn> take(std::string asker) {
    const auto [own, is_first] = taken_.try_emplace(std::move(asker));
    if (!is_first) co_await Wait{own->second};
    co_return Turn(*this, own);
  }

 private:
  struct Wait {
    Waiting& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { waiting.push_back(waiter); }
    void await_resume() const noexcept {}
  };

  void pass_on(Taken::iterator own) {
    if (own->second.empty()) {
      taken_.erase(own);
      return;
    }
    const std::coroutine_handle<> next = own->second.front();
    own->second.pop_front();
    loop_.post([next] { next.resume(); });
  }

  async::Loop& loop_;
  Taken taken_;
};

}  // namespace strongroom::connected::relay

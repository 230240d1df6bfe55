// Waiting for neighbors at a start.
#pragma once

#include <chrono>
#include <concepts>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"

namespace strongroom::service {

inline constexpr std::chrono::milliseconds kNeighborRetryStep{100};

// What passes by itself: a neighbor that is not there yet, or was lost.
[[nodiscard]] inline bool may_pass(const Error& error) noexcept {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::exhausted ||
         error.code() == ErrorCode::unknown_outcome;
}

// Awaits `step()` again and again until it succeeds, fails for good, or `stopping` (then success).
// `step` may be repeated after any failure that may pass.
template <std::invocable Step>
[[nodiscard]] async::Task<Result<void>> repeat_until_done(async::Loop& loop, const bool& stopping,
                                                          Step step) {
  while (!stopping) {
    const Result<void> done = co_await step();
    if (done || !may_pass(done.error())) co_return done;
    co_await loop.sleep_for(kNeighborRetryStep);
  }
  co_return Result<void>{};
}

}  // namespace strongroom::service

// run_load: one measurement from its first connection to its last answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "loadgen/deployment.h"
#include "loadgen/load_plan.h"

namespace strongroom::bench {

// LoadEvents are called by the thread that called run_load, at the edges of the measurement: the
// moments to read other processes' CPU time.
struct LoadEvents {
  std::function<void()> on_begin;
  std::function<void()> on_end;
};

struct LoadResult {
  Tally tally;
  std::chrono::microseconds own_cpu{0};  // of this process while it measured, user and system
  std::uint64_t next_card = 0;           // the first of the sequence that no thread has used
};

// Runs `plan` against `deployment`. Errors: those of Worker::prepare; failed requests are counted
// in the tally instead. REQUIRES: plan.threads >= 1, and at least that many connections and cards
// in the pool.
[[nodiscard]] Result<LoadResult> run_load(const Deployment& deployment, const LoadPlan& plan,
                                          const LoadEvents& events);

}  // namespace strongroom::bench

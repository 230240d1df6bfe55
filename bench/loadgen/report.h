// The result of one measurement, for people and for programs.
#pragma once

#include <string>

#include "loadgen/load_plan.h"
#include "loadgen/load_run.h"

namespace strongroom::bench {

// Several lines for a terminal.
[[nodiscard]] std::string report_text(const LoadPlan& plan, const LoadResult& result);

// One line, one JSON object: {"event":"result","target","mix","model":"closed"|"open",
// "rate":number|null,"connections","threads","seconds","requests","errors","requests_per_second"
// (with a 2xx answer),"latency_us":{"mean","p50","p90","p99","p99_9","max"},"statuses":{"201":n},
// "failures":{"unavailable":n},"loadgen_cpu_us_per_request","next_card"}.
[[nodiscard]] std::string report_json(const LoadPlan& plan, const LoadResult& result);

}  // namespace strongroom::bench

#include "loadgen/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>

namespace strongroom::bench {
namespace {

using std::chrono::nanoseconds;

double seconds(const LoadPlan& plan) {
  return std::chrono::duration<double>(plan.duration).count();
}

double rate_reached(const LoadPlan& plan, const LoadResult& result) {
  return static_cast<double>(result.tally.latencies.count()) / seconds(plan);
}

double own_cpu_us_per_request(const LoadResult& result) {
  const auto requests = std::max<std::uint64_t>(1, result.tally.requests());
  return static_cast<double>(result.own_cpu.count()) / static_cast<double>(requests);
}

double in_us(nanoseconds latency) { return static_cast<double>(latency.count()) / 1e3; }

std::string ms(nanoseconds latency) {
  return fmt::format("{:.2f}", static_cast<double>(latency.count()) / 1e6);
}

std::string model_text(const LoadPlan& plan) {
  return plan.rate ? fmt::format("open model, {:.0f} requests/s due", *plan.rate)
                   : std::string("closed model");
}

std::string answers_text(const Tally& tally) {
  std::string text;
  for (const auto& [status, count] : tally.statuses) {
    fmt::format_to(std::back_inserter(text), " {}: {}", status, count);
  }
  for (const auto& [code, count] : tally.failures) {
    fmt::format_to(std::back_inserter(text), " {}: {}", to_string(code), count);
  }
  return text;
}

}  // namespace

std::string report_text(const LoadPlan& plan, const LoadResult& result) {
  const LatencyHistogram& latencies = result.tally.latencies;
  std::string text =
      fmt::format("{} at {}, {}, {} connections, {:g} s\n", to_string(plan.mix),
                  to_string(plan.target), model_text(plan), plan.connections, seconds(plan));
  fmt::format_to(std::back_inserter(text), "  {:.0f} requests/s, {} requests, {} errors\n",
                 rate_reached(plan, result), result.tally.requests(), result.tally.errors());
  fmt::format_to(std::back_inserter(text),
                 "  latency ms  p50 {}  p90 {}  p99 {}  p99.9 {}  max {}\n",
                 ms(latencies.percentile(50)), ms(latencies.percentile(90)),
                 ms(latencies.percentile(99)), ms(latencies.percentile(99.9)), ms(latencies.max()));
  fmt::format_to(std::back_inserter(text), "  answers    {}\n  own CPU     {:.1f} us per request\n",
                 answers_text(result.tally), own_cpu_us_per_request(result));
  return text;
}

std::string report_json(const LoadPlan& plan, const LoadResult& result) {
  const Tally& tally = result.tally;
  boost::json::object statuses;
  for (const auto& [status, count] : tally.statuses) statuses[fmt::to_string(status)] = count;
  boost::json::object failures;
  for (const auto& [code, count] : tally.failures) failures[to_string(code)] = count;
  const LatencyHistogram& latencies = tally.latencies;
  const boost::json::object report{
      {"event", "result"},
      {"target", to_string(plan.target)},
      {"mix", to_string(plan.mix)},
      {"model", plan.rate ? "open" : "closed"},
      {"rate", plan.rate ? boost::json::value(*plan.rate) : boost::json::value(nullptr)},
      {"connections", plan.connections},
      {"threads", plan.threads},
      {"seconds", seconds(plan)},
      {"requests", tally.requests()},
      {"errors", tally.errors()},
      {"requests_per_second", rate_reached(plan, result)},
      {"latency_us",
       {{"mean", in_us(latencies.mean())},
        {"p50", in_us(latencies.percentile(50))},
        {"p90", in_us(latencies.percentile(90))},
        {"p99", in_us(latencies.percentile(99))},
        {"p99_9", in_us(latencies.percentile(99.9))},
        {"max", in_us(latencies.max())}}},
      {"statuses", statuses},
      {"failures", failures},
      {"loadgen_cpu_us_per_request", own_cpu_us_per_request(result)},
      {"next_card", result.next_card},
  };
  return boost::json::serialize(report) + "\n";
}

}  // namespace strongroom::bench

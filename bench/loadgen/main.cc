// loadgen: only wires.
#include <fmt/core.h>

#include <cstdio>
#include <utility>

#include "base/result.h"
#include "loadgen/deployment.h"
#include "loadgen/load_run.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace {

namespace bench = strongroom::bench;

int failure(int status, const strongroom::Error& error) {
  fmt::print(stderr, "loadgen: {} ({}, {})\n", error.what(), to_string(error.code()),
             error.detail());
  return status;
}

// Line by line: whoever reads them takes other processes' CPU time at once.
void say(const char* line) {
  std::fputs(line, stdout);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = bench::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& options = std::get<bench::Options>(parsed);
  auto deployment = bench::read_deployment(options.state_path);
  if (!deployment) return failure(2, deployment.error());
  if (has_resolves(options.plan.mix)) {
    auto gateway = bench::client_as(options.gateway, deployment->ca_path);
    if (!gateway) return failure(2, gateway.error());
    deployment->gateway_tls = *std::move(gateway);
  }

  bench::LoadEvents events{.on_begin = [] {}, .on_end = [] {}};
  if (options.json) {
    events = {.on_begin = [] { say("{\"event\":\"begin\"}\n"); },
              .on_end = [] { say("{\"event\":\"end\"}\n"); }};
  }
  const auto result = bench::run_load(*deployment, options.plan, events);
  if (!result) return failure(1, result.error());
  say((options.json ? report_json(options.plan, *result) : report_text(options.plan, *result))
          .c_str());
  return 0;
}

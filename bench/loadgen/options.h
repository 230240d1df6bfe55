// The command line of loadgen.
#pragma once

#include <string>
#include <variant>

#include "loadgen/deployment.h"
#include "loadgen/load_plan.h"

namespace strongroom::bench {

struct Options {
  std::string state_path;
  LoadPlan plan;
  IdentityFiles gateway;  // gatewayd's own; empty paths unless the mix has resolves
  bool json = false;
};

// An int is the exit status of a run that is over: 0 after --help, 2 after a usage error (said on
// stderr).
[[nodiscard]] std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace strongroom::bench

// The command line of loadgen.
#pragma once

#include <string>
#include <variant>

#include "loadgen/load_plan.h"

namespace strongroom::bench {

struct Options {
  std::string state_path;
  LoadPlan plan;
  bool json = false;
};

// An int is the exit status of a run that is over: 0 after --help, 2 after a usage error (said on
// stderr).
[[nodiscard]] std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace strongroom::bench

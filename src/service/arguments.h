// The command line that every daemon shares.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace strongroom::service {

// Action is what one run of a daemon's executable does.
enum class Action {
  serve,          // the daemon itself
  init,           // --init: makes the daemon's keys and its database, then exits
  migrate,        // --migrate: brings its database to this version's schema, then exits
  dump,           // --dump: writes its database to standard output; also beside the daemon
  load,           // --load: fills its empty database from such a dump on standard input
  check_sandbox,  // --check-sandbox: tries from inside the sandbox what must be denied, as JSON
};

struct Arguments {
  std::string config_path;  // --config FILE
  std::string instance;     // --instance NAME; the program's own name by default
  Action action = Action::serve;
};

// Reads the command line of program `name`. An int is the exit status of a run that is over:
// 0 after --help and --version, 2 after a usage error (said on stderr).
[[nodiscard]] std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv,
                                                           std::string_view name,
                                                           std::string_view purpose);

}  // namespace strongroom::service

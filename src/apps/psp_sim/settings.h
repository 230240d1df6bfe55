// psp-sim's command line: a tool without a deployment's configuration.
#pragma once

#include <chrono>
#include <string>
#include <variant>

namespace strongroom::psp_sim {

struct Settings {
  std::string listen = "127.0.0.1:12111";
  std::string certificate_path{};
  std::string key_path{};
  std::chrono::milliseconds search_delay{0};
};

// Reads the command line. An int is the exit status of a run that is over: 0 after --help and
// --version, 2 after a usage error (said on stderr).
[[nodiscard]] std::variant<Settings, int> parse_settings(int argc, const char* const* argv);

}  // namespace strongroom::psp_sim

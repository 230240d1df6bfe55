// What every command of the tool gets, and what it may end with.
#pragma once

#include <string>
#include <string_view>

namespace strongroom::tool {

// Exit statuses; documented in --help.
inline constexpr int kOk = 0;
inline constexpr int kCheckFailed = 1;   // an answer was given, and it is no
inline constexpr int kUsage = 2;         // usage, configuration, or a refused request
inline constexpr int kNotReachable = 3;  // a daemon does not answer
// Done as far as it goes: the rest is in archives, or in none that is known. Which is named.
inline constexpr int kArchived = 4;

struct Context {
  std::string directory;  // DIR of the deployment
  bool json = false;      // machine-readable output

  [[nodiscard]] std::string config_path() const { return directory + "/etc/strongroom.toml"; }
};

// Prints `strongroom: <text>` on standard error and gives `status`.
int failed(int status, std::string_view text);

}  // namespace strongroom::tool

// The daemons that a deployment's configuration names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"

namespace strongroom::tool {

struct Daemon {
  std::string instance;  // "connectord-stripe"
  std::string section;   // of the configuration: "connectord.stripe"
};
// Those that others need come first.
[[nodiscard]] std::vector<Daemon> daemons_of(const ConfigFile& file);

// Sends SIGHUP to the process that serves the instance's admin socket. unavailable: none does;
// permission_denied: it is another user's, and this process is not root.
[[nodiscard]] Result<void> send_hangup(const std::string& directory, std::string_view instance);

}  // namespace strongroom::tool

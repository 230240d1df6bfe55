// The daemons that a deployment's configuration names.
#pragma once

#include <cstdint>
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

// Sends SIGHUP to the process that serves the instance's admin socket. unavailable: none does, or
// one of another user than `user`; permission_denied: this user may not.
[[nodiscard]] Result<void> send_hangup(const std::string& directory, std::string_view instance,
                                       std::uint32_t user);

}  // namespace strongroom::tool

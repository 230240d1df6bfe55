// edged's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where edged's rights point in one deployment. An empty string is something that it does not use.
struct EdgedPaths {
  std::string config_folder{};                  // the configuration's own
  std::vector<std::string> credential_paths{};  // certificates, keys, CA: files or folders
  std::vector<std::uint16_t> connect_ports{};   // authd, vaultd, gatewayd, audit-relay
  std::vector<std::uint16_t> listen_ports{};    // the public one
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_edged(const EdgedPaths& paths);

}  // namespace strongroom::sandbox

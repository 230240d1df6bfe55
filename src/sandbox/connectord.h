// connectord's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where connectord's rights point in one deployment. An empty string is something that it does not
// use.
struct ConnectordPaths {
  std::string config_folder{};  // the configuration's own
  // Certificate, key, CA, the processor's CA, ticket keys: files or folders.
  std::vector<std::string> credential_paths{};
  std::vector<std::uint16_t> connect_ports{};  // the processor's
  std::vector<std::uint16_t> listen_ports{};
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_connectord(const ConnectordPaths& paths);

}  // namespace strongroom::sandbox

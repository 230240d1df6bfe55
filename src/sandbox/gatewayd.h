// gatewayd's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where gatewayd's rights point in one deployment. An empty string is something that it does not
// use.
struct GatewaydPaths {
  std::string config_folder{};  // the configuration's own
  std::vector<std::string>
      credential_paths{};         // certificate, key, CA, ticket keys: files or folders
  std::string database_folder{};  // of SQLite
  std::vector<std::uint16_t> connect_ports{};  // vaultd, the connectords, PostgreSQL
  std::vector<std::uint16_t> listen_ports{};
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_gatewayd(const GatewaydPaths& paths);

}  // namespace strongroom::sandbox

// authd's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where authd's rights point in one deployment. An empty string is something that it does not use.
struct AuthdPaths {
  std::string config_folder{};                  // the configuration's own
  std::vector<std::string> credential_paths{};  // certificate, key, CA: files or folders
  std::vector<std::string> key_paths{};         // sealed files of the ticket and column keys
  std::string database_folder{};                // of SQLite
  std::vector<std::uint16_t> connect_ports{};   // PostgreSQL
  std::vector<std::uint16_t> listen_ports{};
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_authd(const AuthdPaths& paths);

}  // namespace strongroom::sandbox

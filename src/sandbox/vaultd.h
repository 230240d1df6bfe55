// vaultd's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where vaultd's rights point in one deployment. An empty string is something that it does not use.
struct VaultdPaths {
  std::string config_folder{};  // the configuration's own
  std::vector<std::string>
      credential_paths{};                   // certificate, key, CA, ticket keys: files or folders
  std::string token_folder{};               // where a PKCS#11 module writes
  std::vector<std::string> module_paths{};  // what it reads: files or folders
  std::string database_folder{};            // of SQLite
  std::vector<std::uint16_t>
      connect_ports{};  // PostgreSQL, connectord, other vaultd, a network HSM
  std::vector<std::uint16_t> listen_ports{};
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_vaultd(const VaultdPaths& paths);

}  // namespace strongroom::sandbox

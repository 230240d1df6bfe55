// audit-relay's rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where audit-relay's rights point in one deployment. An empty string is something that it does not
// use.
struct AuditRelayPaths {
  std::string config_folder{};                  // the configuration's own
  std::vector<std::string> credential_paths{};  // certificates, keys, CA, ticket keys
  std::string audit_folder{};                   // auditd's
  std::vector<std::string> data_folders{};      // of the search index; of files that it exports to
  std::vector<std::uint16_t> connect_ports{};   // sinks and witnesses; none: it connects to nobody
  std::vector<std::uint16_t> listen_ports{};
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_audit_relay(const AuditRelayPaths& paths);

}  // namespace strongroom::sandbox

// auditd's rights.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where auditd's rights point in one deployment. An empty string is something that it does not use.
struct AuditdPaths {
  std::string config_folder{};           // the configuration's own
  std::vector<std::string> key_paths{};  // of a checkpoint key that is read inside the sandbox
  std::string token_folder{};            // of a software HSM that holds it instead
  std::string audit_folder{};            // journal, tiles, checkpoints
  std::string socket_folder{};           // of the intake and audit-relay's
};

// As enter() in sandbox.h.
[[nodiscard]] Result<Enforced> enter_auditd(const AuditdPaths& paths);

}  // namespace strongroom::sandbox

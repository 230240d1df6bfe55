// The rights of `strongroom witness run`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {

// Where a witness's rights point.
struct WitnessPaths {
  std::string config_folder;                  // its configuration, and the logs it knows
  std::vector<std::string> credential_paths;  // folders of its certificate and key
  std::string state_folder;                   // what it has cosigned
};

// As enter() in sandbox.h. To be called when the listener is open.
[[nodiscard]] Result<Enforced> enter_witness(const WitnessPaths& paths);

}  // namespace strongroom::sandbox

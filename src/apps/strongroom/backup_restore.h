// `strongroom restore`.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct RestoreFrom {
  std::string from, passphrase;       // a backup of the data
  std::string keys, keys_passphrase;  // and one of the keys
  std::string log;                    // the newest copy of DIR/audit that there is, ...
  bool log_is_final = false;          // ... to the last entry that auditd ever wrote
  bool log_is_lost = false;           // there is none newer than the backup's
  std::string config;                 // instead of the one in the backup
};

// Makes an empty folder, and empty databases, into the deployment that was backed up. What its
// newest log says was erased since is erased again before vaultd serves. Where it fails DIR is
// empty again; what is killed in the middle leaves no configuration that a daemon could start with.
int restore_deployment(const Context& context, const RestoreFrom& from);

}  // namespace strongroom::tool

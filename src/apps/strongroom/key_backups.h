// keys backups: which copies of vaultd's keys there are, and how they ended. Commands to vaultd.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct KeyBackupOptions {
  bool all = false;         // also those that have come to their end
  std::string means;        // what a backup that is added was made by
  std::string id;           // of the one that is closed
  bool destroyed = false;   // every copy of it is
  std::string replaced_by;  // another's id
};

// The ledger: the copies of the keys, and the last backup of the data.
int list_key_backups(const Context& context, const KeyBackupOptions& options);
// Notes a copy of the keys that was made by other means, and prints its id.
int add_key_backup(const Context& context, const KeyBackupOptions& options);
// Notes how one came to its end.
int close_key_backup(const Context& context, const KeyBackupOptions& options);

}  // namespace strongroom::tool

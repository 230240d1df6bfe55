// `strongroom backup create | verify`.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct BackupOptions {
  std::string out, passphrase;            // of the data
  std::string keys_out, keys_passphrase;  // of the keys; empty: they are not backed up
};

// Backs a running deployment up into new folders, and reads all of it again. An audit entry comes
// before and one behind. What the log lacks is said (kArchived): the backup is whole all the same.
int create_backup(const Context& context, const BackupOptions& options);

// Reads all of a backup and says what it is of, and what its log lacks (kArchived); needs no
// deployment.
int verify_backup(const Context& context, const std::string& folder, const std::string& passphrase);

}  // namespace strongroom::tool

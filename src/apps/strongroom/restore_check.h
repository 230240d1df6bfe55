// What `strongroom restore` sees to before it touches anything: that what it is to restore from is
// whole, of one deployment, and goes together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/backup_restore.h"
#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/verify.h"
#include "backup/log_since.h"
#include "base/file.h"

namespace strongroom::tool {

// The configuration's, in any folder.
inline constexpr std::string_view kConfigName = "strongroom.toml";

// The newer log that is gone on with.
struct NewerLog {
  std::uint64_t end = 0;  // sequence of its last whole entry
  std::string end_at;     // and its time
  std::uint64_t unsigned_entries = 0;
  bool complete = true;  // nothing is missing before its end
  std::optional<audit::BadPlace> damaged_end;
};

// What is restored, opened and found whole.
struct Sources {
  OpenBackup data, keys;
  std::optional<NewerLog> log;
  backup::LogSince since;  // what is taken away again
  // Of the operator's newest log, where more may have been signed for behind what is restored.
  std::optional<audit::Checkpoint> signed_last;
};

// Somebody may have seen entries of the log that are not in it.
[[nodiscard]] inline bool may_go_back(const RestoreFrom& from) { return !from.log_is_final; }

// Keeps auditd from the newer log, where there is one: two deployments must not go on with one. On
// a medium that cannot be written nobody does.
[[nodiscard]] Done<std::optional<FileLock>> lock_log(const std::string& log);
// Refused by the first thing that is not as it must be.
[[nodiscard]] Done<Sources> open_sources(audit::Files& files, const RestoreFrom& from);

}  // namespace strongroom::tool

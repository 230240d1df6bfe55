// The files of a running deployment's audit log, chosen so that they fit together although auditd
// goes on writing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/strongroom/backup_folder.h"
#include "audit/files.h"
#include "audit/journal_reader.h"

namespace strongroom::tool {

// A file to back up.
struct Chosen {
  std::string path;                           // below DIR
  std::uint64_t size_bytes_max = UINT64_MAX;  // no more of it
  std::unique_ptr<audit::File> open{};        // as it was then, where another may replace it
};

// Where the journal in `directory` ends now: the place behind its last whole entry.
[[nodiscard]] Done<audit::JournalPlace> journal_end(audit::Files& files,
                                                    const std::string& directory);

struct ChosenLog {
  std::vector<Chosen> files;
  std::uint64_t end = 0;  // sequence of the journal's last entry in it
};
// Of the log in DIR/audit. What auditd removes before it was copied is missing then.
[[nodiscard]] Done<ChosenLog> choose_log(audit::Files& files, const std::string& directory);

}  // namespace strongroom::tool

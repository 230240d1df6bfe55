// Closed files.
#include "auditd/closed_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "audit/archive.h"
#include "audit/journal_reader.h"
#include "audit/segment.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

// All paths; unavailable.
Result<std::vector<std::string>> closed_files(audit::Files& files, const std::string& directory) {
  SR_TRY(std::vector<std::string> paths, audit::list_segments(files, directory));
  if (!paths.empty()) paths.pop_back();
  SR_TRY(const std::vector<std::string> folders, files.list_folders(directory));
  for (const std::string_view folder : {audit::kArchiveFolder, audit::kRestoredFolder}) {
    if (std::ranges::find(folders, folder) == folders.end()) continue;
    SR_TRY(const auto names, files.list(fmt::format("{}/{}", directory, folder)));
    for (const std::string& name : names) paths.push_back(fmt::format("{}/{}", folder, name));
  }
  for (std::string& path : paths) path = fmt::format("{}/{}", directory, path);
  return paths;
}

}  // namespace

bool make_closed_files_immutable(audit::Files& files, const std::string& directory) {
  if (!files.has_immutable(directory)) return false;
  const auto paths = closed_files(files, directory);
  if (!paths) return false;
  // All are tried, whatever becomes of one.
  return std::ranges::count_if(*paths, [&](const std::string& path) {
           return !files.set_immutable(path, true);
         }) == 0;
}

}  // namespace strongroom::auditd

// Names of archives, for people.
#include "apps/strongroom/archived.h"

#include <fmt/core.h>

#include "audit/archive.h"

namespace strongroom::tool {

std::string where_archived(audit::Files& files, const std::string& directory,
                           std::uint64_t first_sequence) {
  const std::string archive = audit::archive_name(first_sequence);
  const bool there =
      files.open(audit::archive_path(directory, first_sequence), audit::OpenMode::read).has_value();
  return there ? fmt::format("{0}; strongroom audit restore {0}", archive)
               : fmt::format("{}, which is no longer there", archive);
}

std::string entries_text(std::uint64_t number) {
  return fmt::format("{} {}", number, number == 1 ? "entry" : "entries");
}

}  // namespace strongroom::tool

#include "apps/strongroom/log_gaps.h"

#include <fmt/core.h>

#include "audit/archive.h"

namespace strongroom::tool {

std::string count(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

std::vector<std::string> gaps_of(const audit::VerifyReport& report) {
  std::vector<std::string> gaps;
  if (report.unread_entries > 0) {
    gaps.push_back(
        fmt::format("{} not read, for their segments are not here; their hashes are as signed",
                    count(report.unread_entries, "entry", "entries")));
  }
  if (!report.archives_known) {
    gaps.emplace_back("no snapshot that fits: what archives there must be is not known");
  }
  for (const std::uint64_t sequence : report.unvouched_archives) {
    gaps.push_back(fmt::format("{}: not checked, for nothing here says what it must be",
                               audit::archive_name(sequence)));
  }
  for (const auto& [first, last] : report.unaccounted) {
    gaps.push_back(fmt::format(
        "entries {} to {} of the journal: in no archive here, nor disposed of", first, last));
  }
  return gaps;
}

}  // namespace strongroom::tool

// Holdings, from the names of the files.
#include "audit/holdings.h"

#include <fmt/core.h>

#include <map>

#include "audit/journal_reader.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

// What names a segment: its copy, its archive, or both.
struct Known {
  bool is_restored = false;
  bool is_archived = false;
};
using KnownSegments = std::map<std::uint64_t, Known>;

// The files in a folder that need not be there.
Result<std::vector<std::string>> names_in(Files& files, const std::string& folder) {
  const auto there = files.list_folders(folder);
  if (!there && there.error().code() == ErrorCode::not_found) return std::vector<std::string>();
  return files.list(folder);
}

Result<KnownSegments> known_before(Files& files, const std::string& directory,
                                   std::uint64_t oldest) {
  KnownSegments known;
  SR_TRY(const auto archives, list_archives(files, directory));
  for (const std::uint64_t sequence : archives) {
    if (sequence < oldest) known[sequence].is_archived = true;
  }
  SR_TRY(const auto copies, names_in(files, fmt::format("{}/{}", directory, kRestoredFolder)));
  for (const std::string& name : copies) {
    const auto sequence = sequence_of_segment(name);
    if (sequence && *sequence < oldest) known[*sequence].is_restored = true;
  }
  return known;
}

}  // namespace

Result<std::vector<std::uint64_t>> list_archives(Files& files, const std::string& directory) {
  SR_TRY(const auto names, names_in(files, fmt::format("{}/{}", directory, kArchiveFolder)));
  std::vector<std::uint64_t> archives;
  for (const std::string& name : names) {
    if (const auto sequence = sequence_of_archive(name)) archives.push_back(*sequence);
  }
  return archives;
}

Result<Holdings> list_holdings(Files& files, const std::string& directory) {
  Holdings holdings;
  SR_TRY(const auto segments, list_segments(files, directory));
  if (segments.empty()) return holdings;
  holdings.oldest_at_hand = sequence_of_segment(segments.front()).value_or(1);
  SR_TRY(const KnownSegments known, known_before(files, directory, holdings.oldest_at_hand));
  std::uint64_t next = 1;
  for (auto at = known.begin(); at != known.end(); ++at) {
    const auto& [first, segment] = *at;
    if (next < first) holdings.away.push_back({next, first - 1, std::nullopt});
    const auto behind = std::next(at);
    std::uint64_t last = (behind == known.end() ? holdings.oldest_at_hand : behind->first) - 1;
    const auto header = read_archive_header(files, archive_path(directory, first));
    const bool readable = header && header->segment.first_sequence == first &&
                          header->segment.last_sequence >= first &&
                          header->segment.last_sequence <= last;
    if (readable) last = header->segment.last_sequence;
    if (segment.is_restored) {
      holdings.restored.push_back({first, last});
    } else {
      holdings.away.push_back({first, last, readable ? std::optional(*header) : std::nullopt});
    }
    next = last + 1;
  }
  if (next < holdings.oldest_at_hand) {
    holdings.away.push_back({next, holdings.oldest_at_hand - 1, std::nullopt});
  }
  return holdings;
}

}  // namespace strongroom::audit

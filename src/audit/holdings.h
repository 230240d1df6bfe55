// Holdings: which part of the journal is at hand, which came back from archives for some days, and
// which is away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/archive.h"
#include "audit/files.h"
#include "audit/segment.h"
#include "base/result.h"

namespace strongroom::audit {

// What is neither in the journal nor restored.
struct AwaySegment {
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  // Of its archive, whose authenticity nobody has checked; nullopt: none is there that can be read,
  // so that several segments may be missing here.
  std::optional<ArchiveHeader> archive;
};

struct Holdings {
  std::uint64_t oldest_at_hand = 1;     // first sequence of the journal's oldest segment
  std::vector<ClosedSegment> restored;  // copies of what is older than that, ascending
  std::vector<AwaySegment> away;        // ascending
};

// Every entry older than the journal's oldest is in one of the two. unavailable.
[[nodiscard]] Result<Holdings> list_holdings(Files& files, const std::string& directory);

// The sequences of the archives in DIR/audit, ascending, whatever is in them.
[[nodiscard]] Result<std::vector<std::uint64_t>> list_archives(Files& files,
                                                               const std::string& directory);

}  // namespace strongroom::audit

// One closed segment of the journal: what it holds, and which part of each log that is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/files.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace strongroom::audit {

// Copies of archived segments, for as long as they are wanted. LogReader finds entries there too.
inline constexpr std::string_view kRestoredFolder = "restored";

struct SegmentFacts {
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::int64_t oldest_ms = 0;  // entries' times, Unix
  std::int64_t newest_ms = 0;
  std::uint64_t size_bytes = 0;   // up to the end of the last frame
  crypto::Sha256Digest sha256{};  // of these bytes
  bool operator==(const SegmentFacts&) const = default;
};

// A segment that another one follows.
struct ClosedSegment {
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
};
// All but the last of `directory`, ascending. unavailable.
[[nodiscard]] Result<std::vector<ClosedSegment>> closed_segments(Files& files,
                                                                 const std::string& directory);
// Reads the whole segment. corrupt: a frame is damaged or no entry; not_found, unavailable.
[[nodiscard]] Result<SegmentFacts> read_segment(Files& files, const std::string& directory,
                                                const ClosedSegment& segment);
// When the first entry of the segment happened, Unix milliseconds. not_found: it has none yet.
[[nodiscard]] Result<std::int64_t> segment_time_ms(Files& files, const std::string& directory,
                                                   std::uint64_t first_sequence);

// The entries [begin, end) of a log stand in the segment.
struct LogPart {
  std::string log_name;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool operator==(const LogPart&) const = default;
};
// What the files of the trees in `directory` say is in the segment, by log. unavailable.
[[nodiscard]] Result<std::vector<LogPart>> parts_in_segment(Files& files,
                                                            const std::string& directory,
                                                            std::uint64_t first_sequence);
// Reads each of these entries from the segment (or its restored copy) and compares it with its leaf
// hash. corrupt: one is not what the tree holds, or `parts` are not `entries` together.
[[nodiscard]] Result<void> check_parts(Files& files, const std::string& directory,
                                       const std::vector<LogPart>& parts, std::uint64_t entries);

}  // namespace strongroom::audit

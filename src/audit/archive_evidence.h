// What an archive carries to show, with the log's public key alone, that its entries are of the
// signed logs: of each log with entries in the segment the newest checkpoint, and the hashes that
// lead from these entries to its root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/segment.h"
#include "base/result.h"

namespace strongroom::audit {

// The text for the segment whose entries are `parts`. unavailable: not all of them are signed for.
[[nodiscard]] Result<std::string> make_evidence(Files& files, const std::string& directory,
                                                const std::vector<LogPart>& parts,
                                                std::uint64_t first_sequence);

// Reads the segment that `facts` tell of in `directory` and checks it against `evidence`: every
// entry is in a log, and each log's root is the one that `key` has signed. The key's name may be
// that of any of the logs. corrupt: something does not agree; unavailable.
[[nodiscard]] Result<void> check_evidence(Files& files, const std::string& directory,
                                          const SegmentFacts& facts, std::string_view evidence,
                                          const NoteKey& key);

}  // namespace strongroom::audit

// An export: logs of one place as static files (static_tree.h), each in <owner>/<shard> with its
// key in `vkey`, and the operator log's key in `audit.vkey`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/note.h"
#include "audit/static_tree.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kStaticVkey = "vkey";        // beside a log's checkpoint
inline constexpr std::string_view kExportVkey = "audit.vkey";  // of the export
// There while an export is written, and after one that was interrupted, until it is run again.
inline constexpr std::string_view kUnfinishedName = "unfinished";

// What is not as it must be: a file, or a log that is another than one of the export's entries
// says.
struct BadExport {
  std::string_view what{};      // literal
  std::string path{};           // within the folder: of a file, or of a log
  std::uint64_t tree_size = 0;  // that the entry tells of; 0: no entry does
  std::string record{};         // the entry: "operator/2026, entry 17"
};

struct StaticExport {
  std::vector<Checkpoint> checkpoints;  // merchants' logs first, ascending
  // By <owner>/<shard>; only logs that have gaps. What an absent entry says of a log is not held
  // against that.
  std::map<std::string, StaticGaps> gaps;
  // False for logs of one merchant alone: then nothing shows that none of them is missing.
  bool complete = false;
  std::optional<BadExport> bad;
};

// Called with <owner>/<shard>, the entries done and those in that log.
using StaticExportCallback = std::function<void(const std::string&, std::uint64_t, std::uint64_t)>;

// Verifies every log in `folder`, whose place and public key are `key`'s, and holds the logs
// against each other: what a `log.checkpoint` or `log.break` says of a log is what the export has
// of it. Each log that the operator's have told of must be there, for it is they that witnesses
// cosign; only logs of one merchant may stand for themselves. Refuses files that belong to no
// checkpoint, and an export that was not finished. Stops at what is bad first. unavailable: a file
// cannot be read, though it is there; invalid_argument: `key` is no log's.
[[nodiscard]] Result<StaticExport> verify_static_export(Files& files, const std::string& folder,
                                                        const NoteKey& key,
                                                        const StaticExportCallback& progress = {});

}  // namespace strongroom::audit

// LogBatch: the next entries of the logs for somebody who follows them, each log from where he is
// to where it is signed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "audit/files.h"
#include "base/result.h"
#include "connected/relay/log_files.h"
#include "connected/relay/log_watch.h"

namespace strongroom::connected::relay {

struct FollowedEntry {
  EntryPlace place;
  std::string bytes;
};

struct LogBatch {
  std::vector<FollowedEntry> entries;  // log by log, each without gaps
  std::vector<EntryPlace> unreadable;  // the entries that are damaged or gone, one of a log
};

// How many entries `to` has that `from` lacks.
[[nodiscard]] std::uint64_t entries_between(const LogSizes& from, const LogSizes& to);

// At most `entries_max` of them. A log goes up to an entry that cannot be read, which is named;
// what is not in the tree's files yet is left for later. May wait for the disk.
[[nodiscard]] LogBatch next_batch(audit::Files& files, const std::string& directory,
                                  const LogSizes& from, const LogSizes& to,
                                  std::size_t entries_max);

}  // namespace strongroom::connected::relay

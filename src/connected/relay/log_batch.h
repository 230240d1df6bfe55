// LogTurns: the entries of the logs for somebody who follows them, each log from where he is to
// where it is signed, batch by batch. The logs take turns, so that busy ones keep no other waiting.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
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
  std::vector<EntryPlace> unreadable;  // damaged or gone, as last seen: one of a log
};

// How many entries `to` has that `from` lacks.
[[nodiscard]] std::uint64_t entries_between(const LogSizes& from, const LogSizes& to);

// One thread at a time.
class LogTurns {
 public:
  // `files` outlives it; `directory` is DIR/audit.
  LogTurns(audit::Files& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // At most `entries_max` of what `to` has and `from` lacks, from the log on whose turn it is: the
  // one behind that which was read last. A log goes up to an entry that cannot be read; what is not
  // in the tree's files yet is left for later. May wait for the disk.
  [[nodiscard]] LogBatch next(const LogSizes& from, const LogSizes& to, std::size_t entries_max);

 private:
  // Adds entries [begin, end) of `log`, up to one that is damaged or gone.
  void read(const std::string& log, std::uint64_t begin, std::uint64_t end, LogBatch& batch);

  audit::Files& files_;
  std::string directory_;
  std::string last_log_;  // that was read
  LogSizes unreadable_;   // the place in each log that has one
};

}  // namespace strongroom::connected::relay

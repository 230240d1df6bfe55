// LogTurns: the entries of the logs for somebody who follows them, each log from where he is to
// where it is signed, batch by batch. The logs take turns, so that busy ones keep no other waiting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "audit/files.h"
#include "audit/log_reader.h"
#include "base/result.h"
#include "connected/relay/log_files.h"
#include "connected/relay/log_watch.h"

namespace strongroom::connected::relay {

struct FollowedEntry {
  EntryPlace place;
  std::string bytes;  // empty: it is in an archive, and was passed over
};

// Where a log stops, for its entry is damaged, missing or in an archive.
struct UnreadableEntry {
  EntryPlace place;
  std::string archive{};  // its name; empty: the entry is damaged or missing
  bool operator==(const UnreadableEntry&) const = default;
};

struct LogBatch {
  std::vector<FollowedEntry> entries;       // log by log, each without gaps
  std::vector<UnreadableEntry> unreadable;  // as last seen: one of a log
};

// What to do about entries that are in archives.
enum class AtArchived : std::uint8_t { stop, pass_over };

// How many entries `to` has that `from` lacks.
[[nodiscard]] std::uint64_t entries_between(const LogSizes& from, const LogSizes& to);

// One thread at a time.
class LogTurns {
 public:
  // `files` outlives it; `directory` is DIR/audit.
  LogTurns(audit::Files& files, std::string directory, AtArchived at_archived)
      : files_(files), directory_(std::move(directory)), at_archived_(at_archived) {}

  // At most `entries_max` of what `to` has and `from` lacks, from the log on whose turn it is: the
  // one behind that which was read last. A log goes up to an entry that cannot be read. REQUIRES:
  // `to` is signed for, and so in the files: what they lack is missing. May wait for the disk.
  [[nodiscard]] LogBatch next(const LogSizes& from, const LogSizes& to, std::size_t entries_max);

 private:
  // Adds entries [begin, end) of `log`, up to one that cannot be read.
  void read(const std::string& log, std::uint64_t begin, std::uint64_t end, LogBatch& batch);
  Result<void> read_entry(audit::LogReader& reader, std::uint64_t index, LogBatch& batch) const;

  audit::Files& files_;
  std::string directory_;
  AtArchived at_archived_;
  std::string last_log_;                               // that was read
  std::map<std::string, UnreadableEntry> unreadable_;  // by log
};

}  // namespace strongroom::connected::relay

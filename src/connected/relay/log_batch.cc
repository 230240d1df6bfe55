#include "connected/relay/log_batch.h"

#include <algorithm>
#include <utility>

#include "audit/archive.h"
#include "base/encoding.h"

namespace strongroom::connected::relay {
namespace {

std::uint64_t size_in(const LogSizes& sizes, std::string_view log) {
  const auto found = sizes.find(log);
  return found == sizes.end() ? 0 : found->second;
}

}  // namespace

std::uint64_t entries_between(const LogSizes& from, const LogSizes& to) {
  std::uint64_t count = 0;
  for (const auto& [log, size] : to) count += size - std::min(size, size_in(from, log));
  return count;
}

LogBatch LogTurns::next(const LogSizes& from, const LogSizes& to, std::size_t entries_max) {
  LogBatch batch;
  batch.entries.reserve(entries_max);
  auto turn = to.upper_bound(last_log_);
  for (std::size_t left = to.size(); left > 0 && batch.entries.size() < entries_max; --left) {
    if (turn == to.end()) turn = to.begin();
    const auto& [log, size] = *turn++;
    const std::uint64_t begin = size_in(from, log);
    if (begin < size) {
      read(log, begin, std::min(size, begin + entries_max - batch.entries.size()), batch);
    }
  }
  for (const auto& [log, entry] : unreadable_) batch.unreadable.push_back(entry);
  return batch;
}

void LogTurns::read(const std::string& log, std::uint64_t begin, std::uint64_t end,
                    LogBatch& batch) {
  last_log_ = log;
  unreadable_.erase(log);
  auto reader = audit::LogReader::open(files_, directory_, log);
  Result<void> read = reader ? Result<void>{} : fail(reader.error());
  std::uint64_t index = begin;
  while (read && index < end) {
    read = read_entry(*reader, index, batch);
    if (read) ++index;
  }
  if (read) return;
  UnreadableEntry unreadable{.place = {.log = log, .index = index}};
  if (read.error().code() == ErrorCode::gone) {
    const auto place = reader->place(index);
    if (place) unreadable.archive = audit::archive_name(place->segment_first_sequence);
  }
  unreadable_.emplace(log, std::move(unreadable));
}

Result<void> LogTurns::read_entry(audit::LogReader& reader, std::uint64_t index,
                                  LogBatch& batch) const {
  const auto bytes = reader.entry(index);
  const bool passes_over =
      !bytes && bytes.error().code() == ErrorCode::gone && at_archived_ == AtArchived::pass_over;
  if (!bytes && !passes_over) return fail(bytes.error());
  batch.entries.push_back({{.log = reader.log_name(), .index = index},
                           bytes ? std::string(as_text(*bytes)) : std::string()});
  return {};
}

}  // namespace strongroom::connected::relay

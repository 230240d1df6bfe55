#include "connected/relay/log_batch.h"

#include <algorithm>
#include <utility>

#include "audit/log_reader.h"
#include "base/encoding.h"

namespace strongroom::connected::relay {
namespace {

std::uint64_t size_in(const LogSizes& sizes, std::string_view log) {
  const auto found = sizes.find(log);
  return found == sizes.end() ? 0 : found->second;
}

// Adds entries [begin, end) of `log`, up to one that is damaged or gone.
void read_entries(audit::Files& files, const std::string& directory, const std::string& log,
                  std::uint64_t begin, std::uint64_t end, LogBatch& batch) {
  const auto passes = [](const Error& error) {
    return error.code() == ErrorCode::not_found || error.code() == ErrorCode::unavailable;
  };
  auto reader = audit::LogReader::open(files, directory, log);
  Result<void> read = reader ? Result<void>{} : fail(reader.error());
  std::uint64_t index = begin;
  for (; read && index < end; ++index) {
    const auto bytes = reader->entry(index);
    if (!bytes) {
      read = fail(bytes.error());
      break;
    }
    batch.entries.push_back({{.log = log, .index = index}, std::string(as_text(*bytes))});
  }
  if (!read && !passes(read.error())) batch.unreadable.push_back({.log = log, .index = index});
}

}  // namespace

std::uint64_t entries_between(const LogSizes& from, const LogSizes& to) {
  std::uint64_t count = 0;
  for (const auto& [log, size] : to) count += size - std::min(size, size_in(from, log));
  return count;
}

LogBatch next_batch(audit::Files& files, const std::string& directory, const LogSizes& from,
                    const LogSizes& to, std::size_t entries_max) {
  LogBatch batch;
  batch.entries.reserve(entries_max);
  for (const auto& [log, size] : to) {
    const std::uint64_t begin = size_in(from, log);
    const std::uint64_t room = entries_max - batch.entries.size();
    if (room == 0) break;
    if (begin >= size) continue;
    const std::uint64_t end = std::min(size, begin + room);
    read_entries(files, directory, log, begin, end, batch);
  }
  return batch;
}

}  // namespace strongroom::connected::relay

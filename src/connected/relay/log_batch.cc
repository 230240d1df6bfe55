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
  for (const auto& [log, index] : unreadable_) batch.unreadable.push_back({log, index});
  return batch;
}

void LogTurns::read(const std::string& log, std::uint64_t begin, std::uint64_t end,
                    LogBatch& batch) {
  const auto passes = [](const Error& error) {
    return error.code() == ErrorCode::not_found || error.code() == ErrorCode::unavailable;
  };
  last_log_ = log;
  unreadable_.erase(log);
  auto reader = audit::LogReader::open(files_, directory_, log);
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
  if (!read && !passes(read.error())) unreadable_.emplace(log, index);
}

}  // namespace strongroom::connected::relay

#include "connected/relay/indexer.h"

#include <algorithm>
#include <utility>

#include "audit/entry_view.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

constexpr std::size_t kBatchEntries = 1024;
constexpr std::chrono::milliseconds kPause{100};

struct Prepared {
  std::vector<IndexedEntry> entries;
  std::vector<UnreadableEntry> unreadable;
};

IndexedEntry index_entry(FollowedEntry entry) {
  const auto view = audit::read_entry(entry.bytes);
  if (view) return indexed(std::move(entry.place), *view);
  return {.place = std::move(entry.place)};  // archived, or of a later version: found by nothing
}

// Puts entries of several logs into the order of their times, so that who follows the index sees
// them as they happened, but leaves those of one log in the log's own, whatever their clocks said.
void interleave(std::vector<IndexedEntry>& entries) {
  struct Timed {
    std::pair<std::int64_t, std::size_t> order;  // time, and place among those of the same time
    IndexedEntry entry;
  };
  std::vector<Timed> timed;
  timed.reserve(entries.size());
  for (IndexedEntry& entry : entries) {
    const bool goes_on = !timed.empty() && timed.back().entry.place.log == entry.place.log;
    const std::int64_t at =
        goes_on ? std::max(timed.back().order.first, entry.time_ms) : entry.time_ms;
    timed.push_back({{at, timed.size()}, std::move(entry)});
  }
  std::ranges::sort(timed, {}, &Timed::order);
  std::ranges::transform(timed, entries.begin(), [](Timed& one) { return std::move(one.entry); });
}

Prepared prepare(LogBatch batch) {
  Prepared prepared{.entries = {}, .unreadable = std::move(batch.unreadable)};
  prepared.entries.reserve(batch.entries.size());
  for (FollowedEntry& entry : batch.entries) {
    prepared.entries.push_back(index_entry(std::move(entry)));
  }
  interleave(prepared.entries);
  return prepared;
}

}  // namespace

std::uint64_t Indexer::lag() const {
  return entries_between(parts_.index.sizes(), parts_.watch.state().signed_sizes);
}

async::Task<void> Indexer::run() {
  while (!stopping_) {
    const Result<bool> added = co_await add_batch();
    if (!added && keeps_up_) {
      log::warn("the search index does not take entries", {{"error", added.error()}});
    }
    keeps_up_ = added.has_value();
    if (!added) loaded_ = false;  // what was written may be there or not
    parts_.lag.set(static_cast<std::int64_t>(lag()));
    if (!stopping_ && !added.value_or(false)) co_await parts_.loop.sleep_for(kPause);
  }
}

// True when there may be more at once.
async::Task<Result<bool>> Indexer::add_batch() {
  if (!loaded_) {
    SR_CO_CHECK_OK(co_await parts_.index.load());
    loaded_ = true;
  }
  if (lag() == 0) co_return false;
  auto work = [this, from = parts_.index.sizes(),
               to = parts_.watch.state().signed_sizes]() -> Result<Prepared> {
    return prepare(turns_.next(from, to, kBatchEntries));
  };
  Result<Prepared> prepared = co_await parts_.pool.run(parts_.loop, std::move(work));
  if (!prepared) co_return fail(prepared.error());
  met_damage_ = !prepared->unreadable.empty();
  for (const UnreadableEntry& entry : prepared->unreadable) {
    unreadable_.warn({{"log", entry.place.log}, {"index", entry.place.index}});
  }
  if (prepared->entries.empty()) co_return false;
  SR_CO_CHECK_OK(co_await parts_.index.add(std::move(prepared->entries)));
  co_return true;
}

}  // namespace strongroom::connected::relay

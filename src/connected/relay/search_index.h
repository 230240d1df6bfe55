// SearchIndex: which entries of which logs concern a token, an actor, a type, a request. It holds
// places, not entries: what an entry says is read from the journal, so nobody has to believe the
// index. All of it can be made anew from the logs.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "audit/entry_view.h"
#include "base/result.h"
#include "connected/relay/log_files.h"
#include "connected/relay/log_watch.h"
#include "storage/database.h"

namespace strongroom::connected::relay {

// Whose log it is: "mer_..." or "operator".
[[nodiscard]] std::string_view owner_of(std::string_view log) noexcept;

// What the index takes in of one entry.
struct IndexedEntry {
  EntryPlace place;
  std::int64_t time_ms = 0;          // 0: nobody knows what the entry says
  std::vector<std::string> terms{};  // what it is found by
  bool tells_of_reading = false;     // a log.read, which every look at the log adds
};
[[nodiscard]] IndexedEntry indexed(EntryPlace place, const audit::EntryView& entry);

// Where a search goes on; behind the newest entry by default.
struct SearchPlace {
  std::int64_t time_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t id = std::numeric_limits<std::int64_t>::max();
  bool operator==(const SearchPlace&) const = default;
};

// Whose logs; nullopt: everybody's.
using Owner = std::optional<std::string>;

// Empty text asks for nothing.
struct SearchQuery {
  Owner owner{};
  std::string resource{};  // token, payment, key: what it was done to
  std::string actor{};     // on whose behalf
  std::string type{};      // "token.create"
  std::string request_id{};
  std::int64_t from_ms = 0;
  std::int64_t to_ms = std::numeric_limits<std::int64_t>::max();  // not included
  SearchPlace before{};
  std::size_t limit = 0;
};

struct FoundEntry {
  EntryPlace place;
  SearchPlace at;  // ask again before it
};

// Belongs to the database's Loop; errors are the database's. exhausted, of search() and
// records_of(): it takes too long, since each of what is asked for is frequent, but hardly
// together.
class SearchIndex {
 public:
  static constexpr std::chrono::milliseconds kPatience{5'000};

  // `database` outlives it. `patience`: how long one search may take.
  explicit SearchIndex(storage::Database& database,
                       std::chrono::milliseconds patience = kPatience) noexcept
      : database_(database), patience_(patience) {}

  // Reads how far it is; before anything else.
  [[nodiscard]] async::Task<Result<void>> load();
  // Adds entries, in one transaction. REQUIRES: of each log those that follow what it has, without
  // gaps; one add() at a time.
  [[nodiscard]] async::Task<Result<void>> add(std::vector<IndexedEntry> entries);
  // How many entries of each log it has.
  [[nodiscard]] LogSizes sizes() const;
  // Of how many of them it does not know what they say, for they were in archives when it came to
  // them: it keeps that count alone. Only logs that have such.
  [[nodiscard]] LogSizes unread() const;

  // Newest first.
  [[nodiscard]] async::Task<Result<std::vector<FoundEntry>>> search(SearchQuery query);
  // The newest entries log.checkpoint that tell of the log with this origin, among those of
  // end.log before end.index, which all came before `until_ms`; newest first.
  [[nodiscard]] async::Task<Result<std::vector<FoundEntry>>> records_of(std::string origin,
                                                                        EntryPlace end,
                                                                        std::int64_t until_ms,
                                                                        std::size_t limit);
  // Those that were added after `id`, in that order; the newest ones when `id` is negative.
  [[nodiscard]] async::Task<Result<std::vector<FoundEntry>>> added_after(std::int64_t id,
                                                                         std::size_t limit);
  // Of the last entry added that does not tell of reading a log.
  [[nodiscard]] std::int64_t last_deed() const noexcept { return last_deed_; }

 private:
  struct Wanted;
  [[nodiscard]] async::Task<Result<std::vector<FoundEntry>>> find(Wanted wanted);

  struct KnownLog {
    std::int64_t id = 0;
    std::uint64_t size = 0;
    std::uint64_t unread = 0;
  };
  using KnownLogs = std::map<std::string, KnownLog, std::less<>>;

  storage::Database& database_;
  const std::chrono::milliseconds patience_;
  KnownLogs logs_;
  std::int64_t last_log_ = 0;
  std::int64_t last_entry_ = 0;
  std::int64_t last_deed_ = 0;
};

}  // namespace strongroom::connected::relay

// The SQL of the search index.
#include "connected/relay/search_index.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/sql_literal.h"

namespace strongroom::connected::relay {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::join;
using storage::ManySql;
using storage::ManyStatement;
using storage::Row;
using storage::Rows;
using storage::Statement;
using storage::Value;
using storage::view;

constexpr std::array<Column, 5> kLogColumns{{{"id", ColumnType::integer},
                                             {"name", ColumnType::text},
                                             {"owner", ColumnType::text},
                                             {"size", ColumnType::integer},
                                             {"unread", ColumnType::integer}}};
constexpr ManySql kPutLogs{
    "INSERT INTO logs (id, name, owner, size, unread) "
    "SELECT id, name, owner, size, unread FROM {given} WHERE true "
    "ON CONFLICT (id) DO UPDATE SET size = excluded.size, unread = excluded.unread",
    kLogColumns};

constexpr std::array<Column, 4> kEntryColumns{{{"id", ColumnType::integer},
                                               {"log", ColumnType::integer},
                                               {"entry_index", ColumnType::integer},
                                               {"time", ColumnType::integer}}};
constexpr ManySql kAddEntries{
    "INSERT INTO entries (id, log, entry_index, time) "
    "SELECT id, log, entry_index, time FROM {given}",
    kEntryColumns};

// How many entries, by their ids, share a block. Another number needs a migration, and kByTime.
constexpr std::int64_t kBlockEntries = 8'192;

constexpr std::array<Column, 3> kBlockColumns{{{"id", ColumnType::integer},
                                               {"first_time", ColumnType::integer},
                                               {"last_time", ColumnType::integer}}};
constexpr ManySql kPutBlocks{
    "INSERT INTO blocks (id, first_time, last_time) "
    "SELECT id, first_time, last_time FROM {given} WHERE true "
    "ON CONFLICT (id) DO UPDATE SET first_time = MIN(first_time, excluded.first_time), "
    "last_time = MAX(last_time, excluded.last_time)",
    kBlockColumns};

constexpr std::array<Column, 4> kPostingColumns{{{"block", ColumnType::integer},
                                                 {"term", ColumnType::text},
                                                 {"first_entry", ColumnType::integer},
                                                 {"entries", ColumnType::text}}};
constexpr ManySql kAddPostings{
    "INSERT INTO postings (block, term, first_entry, entries) "
    "SELECT block, term, first_entry, entries FROM {given}",
    kPostingColumns};

// Of a search: $1 to $4 the terms, empty where there are fewer; $5 and $6 the first and the last
// time. Then of blocks: $7 and $8 where it goes on, and $9 the limit; of entries: $7 and $8 the
// same, $9 the block, $10 the owner, $11 and $12 the log and where it ends, and $13 the limit.
constexpr std::size_t kTermsMax = 4;
constexpr char kInBlock[] =
    " = '' OR EXISTS (SELECT 1 FROM postings WHERE block = b.id AND term = ";
constexpr auto kBlocks =
    join("SELECT b.id, b.last_time FROM blocks b WHERE ($1", kInBlock, "$1)) AND ($2", kInBlock,
         "$2)) AND ($3", kInBlock, "$3)) AND ($4", kInBlock,
         "$4)) AND b.last_time >= $5 AND b.first_time <= $6 AND (b.last_time, b.id) < ($7, $8) "
         "ORDER BY b.last_time DESC, b.id DESC LIMIT $9");
constexpr std::size_t kBlocksAtOnce = 4;

constexpr Error kTooLong{ErrorCode::exhausted, "search takes too long"};

constexpr char kSelect[] = "SELECT e.id, l.name, e.entry_index, e.time FROM ";
constexpr char kHasTerm[] =
    " = '' OR e.id IN (SELECT j.value FROM postings p, json_each(p.entries) j "
    "WHERE p.block = $9 AND p.term = ";
template <std::size_t N>
consteval auto entries_of_block(const char (&from)[N]) {
  return join(kSelect, from, " AND ($2", kHasTerm, "$2)) AND ($3", kHasTerm, "$3)) AND ($4",
              kHasTerm,
              "$4)) AND e.time >= $5 AND e.time <= $6 AND (e.time, e.id) < ($7, $8) "
              "AND ($10 = '' OR l.owner = $10) "
              "AND ($11 = '' OR (l.name = $11 AND e.entry_index < $12)) "
              "ORDER BY e.time DESC, e.id DESC LIMIT $13");
}
constexpr auto kByTerm = entries_of_block(
    "postings t CROSS JOIN json_each(t.entries) i CROSS JOIN entries e ON e.id = i.value "
    "JOIN logs l ON l.id = e.log WHERE t.block = $9 AND t.term = $1");
constexpr auto kByTime = entries_of_block(
    "entries e JOIN logs l ON l.id = e.log "
    "WHERE $1 = '' AND e.id >= $9 * 8192 AND e.id < ($9 + 1) * 8192");

constexpr auto kAddedAfter =
    join(kSelect, "entries e JOIN logs l ON l.id = e.log WHERE e.id > $1 ORDER BY e.id LIMIT $2");
constexpr auto kNewest =
    join(kSelect, "entries e JOIN logs l ON l.id = e.log ORDER BY e.id DESC LIMIT $1");

std::string resource_term(std::string_view uid) { return fmt::format("resource {}", uid); }
std::string actor_term(std::string_view user) { return fmt::format("actor {}", user); }
std::string type_term(std::string_view type) { return fmt::format("type {}", type); }
std::string owner_term(std::string_view owner) { return fmt::format("owner {}", owner); }
std::string request_term(std::string_view id) { return fmt::format("request {}", id); }
// A type that is frequent everywhere may be rare in one owner's logs.
std::string owner_type_term(std::string_view owner, std::string_view type) {
  return fmt::format("owner {} type {}", owner, type);
}

// The terms that a query asks for, likely the rarest first.
std::vector<std::string> terms_of(const SearchQuery& query) {
  std::vector<std::string> terms;
  terms.reserve(kTermsMax);
  if (!query.request_id.empty()) terms.push_back(request_term(query.request_id));
  if (!query.resource.empty()) terms.push_back(resource_term(query.resource));
  if (!query.actor.empty()) terms.push_back(actor_term(query.actor));
  if (!query.type.empty()) {
    terms.push_back(query.owner ? owner_type_term(*query.owner, query.type)
                                : type_term(query.type));
  }
  if (terms.empty() && query.owner) terms.push_back(owner_term(*query.owner));
  return terms;
}

Result<FoundEntry> read_found(const Row& row) {
  FoundEntry found;
  SR_TRY(found.at.id, row[0].integer());
  SR_TRY(found.place.log, row[1].text());
  SR_TRY(const std::int64_t index, row[2].integer());
  found.place.index = static_cast<std::uint64_t>(index);
  SR_TRY(found.at.time_ms, row[3].integer());
  return found;
}

Result<std::vector<FoundEntry>> read_all(const Result<Rows>& rows) {
  if (!rows) return fail(rows.error());
  std::vector<FoundEntry> all;
  all.reserve(rows->size());
  for (const Row& row : *rows) {
    SR_TRY(FoundEntry found, read_found(row));
    all.push_back(std::move(found));
  }
  return all;
}

struct Year {
  std::int64_t begin_ms = 0;
  std::int64_t end_ms = 0;  // not in it
};
// That all entries of the log are of, also of one that a break began (audit/logs.h).
Year year_of(std::string_view log) {
  const std::string_view digits = log.substr(owner_of(log).size() + 1, 4);
  int number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const auto begin = [](int of) {
    const std::chrono::sys_days day = std::chrono::year(of) / std::chrono::January / 1;
    return std::chrono::milliseconds(day.time_since_epoch()).count();
  };
  return {begin(number), begin(number + 1)};
}

Value number(std::uint64_t value) { return Value::integer(static_cast<std::int64_t>(value)); }

// What one transaction adds to a block.
struct BlockAddition {
  struct Posting {
    std::int64_t first_entry = 0;
    std::string entries{};  // "[1,5,9", which lacks its end
  };

  void take(std::int64_t id, IndexedEntry entry) {
    first_ms = std::min(first_ms, entry.time_ms);
    last_ms = std::max(last_ms, entry.time_ms);
    for (std::string& term : entry.terms) {
      const auto [place, is_new] =
          postings.try_emplace(std::move(term), Posting{.first_entry = id});
      fmt::format_to(std::back_inserter(place->second.entries), "{}{}", is_new ? '[' : ',', id);
    }
  }

  std::int64_t first_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ms = 0;
  std::map<std::string, Posting> postings{};  // of the terms
};
using Additions = std::map<std::int64_t, BlockAddition>;

std::vector<Row> block_rows(const Additions& additions) {
  std::vector<Row> rows;
  rows.reserve(additions.size());
  for (const auto& [block, addition] : additions) {
    rows.push_back({Value::integer(block), Value::integer(addition.first_ms),
                    Value::integer(addition.last_ms)});
  }
  return rows;
}

std::vector<Row> posting_rows(const Additions& additions) {
  std::vector<Row> rows;
  for (const auto& [block, addition] : additions) {
    for (const auto& [term, posting] : addition.postings) {
      rows.push_back({Value::integer(block), Value::text(term), Value::integer(posting.first_entry),
                      Value::text(posting.entries + "]")});
    }
  }
  return rows;
}

// Newest first.
void keep_newest(std::vector<FoundEntry>& found, std::size_t limit) {
  std::ranges::sort(found, std::greater(),
                    [](const FoundEntry& one) { return std::pair(one.at.time_ms, one.at.id); });
  if (found.size() > limit) found.resize(limit);
}

}  // namespace

// What to look for, as the statements have it.
struct SearchIndex::Wanted {
  std::vector<std::string> terms{};  // all of them, likely the rarest first
  std::int64_t from_ms = 0;
  std::int64_t last_ms = 0;
  SearchPlace before{};
  std::string owner{};  // empty: everybody
  EntryPlace end{};     // of one log those before this; empty: of any
  std::size_t limit = 0;

  [[nodiscard]] Statement blocks_before(SearchPlace place) const {
    Statement statement{.sql = view(kBlocks), .parameters = terms_and_time()};
    add(statement,
        {Value::integer(place.time_ms), Value::integer(place.id), number(kBlocksAtOnce)});
    return statement;
  }
  [[nodiscard]] Statement entries_of(std::int64_t block) const {
    Statement statement{.sql = terms.empty() ? view(kByTime) : view(kByTerm),
                        .parameters = terms_and_time()};
    add(statement,
        {Value::integer(before.time_ms), Value::integer(before.id), Value::integer(block),
         Value::text(owner), Value::text(end.log), number(end.index), number(limit)});
    return statement;
  }

 private:
  [[nodiscard]] std::vector<Value> terms_and_time() const {
    std::vector<Value> values;
    values.reserve(kTermsMax + 2);
    for (const std::string& term : terms) values.push_back(Value::text(term));
    values.resize(kTermsMax, Value::text(""));
    values.push_back(Value::integer(from_ms));
    values.push_back(Value::integer(last_ms));
    return values;
  }
  static void add(Statement& statement, std::initializer_list<Value> values) {
    statement.parameters.insert(statement.parameters.end(), values);
  }
};

std::string_view owner_of(std::string_view log) noexcept { return log.substr(0, log.rfind('-')); }

IndexedEntry indexed(EntryPlace place, const audit::EntryView& entry) {
  const std::string_view owner = owner_of(place.log);
  const std::string_view type = audit::name(entry.event_type);
  std::set<std::string> terms{actor_term(entry.user), type_term(type), owner_term(owner),
                              owner_type_term(owner, type)};
  if (!entry.request_id.empty()) terms.insert(request_term(entry.request_id));
  if (!entry.gateway_token.empty()) terms.insert(resource_term(entry.gateway_token));
  for (const std::string_view uid : std::span(entry.resources).first(entry.resource_count)) {
    terms.insert(resource_term(uid));
  }
  return {.place = std::move(place),
          .time_ms = entry.time_ms,
          .terms = {terms.begin(), terms.end()},
          .tells_of_reading = entry.event_type == audit::EventType::log_read};
}

async::Task<Result<void>> SearchIndex::load() {
  Statement all_logs{.sql = "SELECT id, name, size, unread FROM logs"};
  const auto logs = co_await database_.read(std::move(all_logs));
  if (!logs) co_return fail(logs.error());
  Statement last{.sql = "SELECT COALESCE(MAX(id), 0) FROM entries"};
  const auto newest = co_await database_.read(std::move(last));
  if (!newest) co_return fail(newest.error());
  SR_CO_TRY(last_entry_, newest->front()[0].integer());
  last_deed_ = last_entry_;
  logs_.clear();
  for (const Row& row : *logs) {
    SR_CO_TRY(const std::int64_t id, row[0].integer());
    SR_CO_TRY(const std::string_view name, row[1].text());
    SR_CO_TRY(const std::int64_t size, row[2].integer());
    last_log_ = std::max(last_log_, id);
    SR_CO_TRY(const std::int64_t unread, row[3].integer());
    logs_.emplace(name, KnownLog{.id = id,
                                 .size = static_cast<std::uint64_t>(size),
                                 .unread = static_cast<std::uint64_t>(unread)});
  }
  co_return Result<void>{};
}

async::Task<Result<void>> SearchIndex::add(std::vector<IndexedEntry> entries) {
  KnownLogs changed;
  Additions additions;
  std::vector<Row> entry_rows;
  entry_rows.reserve(entries.size());
  std::int64_t id = last_entry_;
  std::int64_t deed = last_deed_;
  for (IndexedEntry& entry : entries) {
    const auto [place, is_new] = changed.try_emplace(entry.place.log);
    KnownLog& log = place->second;
    if (is_new) {
      const auto known = logs_.find(entry.place.log);
      log = known != logs_.end() ? known->second : KnownLog{.id = ++last_log_};
    }
    SR_CHECK(entry.place.index == log.size);
    ++log.size;
    if (entry.time_ms == 0) {
      ++log.unread;
      continue;
    }
    ++id;
    if (!entry.tells_of_reading) deed = id;
    entry_rows.push_back({Value::integer(id), Value::integer(log.id), number(entry.place.index),
                          Value::integer(entry.time_ms)});
    additions[id / kBlockEntries].take(id, std::move(entry));
  }
  std::vector<Row> log_rows;
  log_rows.reserve(changed.size());
  for (const auto& [name, log] : changed) {
    log_rows.push_back({Value::integer(log.id), Value::text(name), Value::text(owner_of(name)),
                        number(log.size), number(log.unread)});
  }
  std::vector<ManyStatement> statements;
  statements.reserve(4);
  statements.push_back({.many = kPutLogs, .rows = std::move(log_rows)});
  statements.push_back({.many = kAddEntries, .rows = std::move(entry_rows)});
  statements.push_back({.many = kPutBlocks, .rows = block_rows(additions)});
  statements.push_back({.many = kAddPostings, .rows = posting_rows(additions)});
  const auto written = co_await database_.write_many(std::move(statements));
  if (!written) co_return fail(written.error());
  for (auto& [name, log] : changed) logs_.insert_or_assign(name, log);
  last_entry_ = id;
  last_deed_ = deed;
  co_return Result<void>{};
}

LogSizes SearchIndex::sizes() const {
  LogSizes sizes;
  for (const auto& [name, log] : logs_) sizes.emplace(name, log.size);
  return sizes;
}

LogSizes SearchIndex::unread() const {
  LogSizes unread;
  for (const auto& [name, log] : logs_) {
    if (log.unread > 0) unread.emplace(name, log.unread);
  }
  return unread;
}

async::Task<Result<std::vector<FoundEntry>>> SearchIndex::search(SearchQuery query) {
  // What is newer than the place is in blocks that need not be looked at.
  Wanted wanted{.terms = terms_of(query),
                .from_ms = query.from_ms,
                .last_ms = std::min(query.to_ms - 1, query.before.time_ms),
                .before = query.before,
                .owner = query.owner.value_or(""),
                .limit = query.limit};
  if (query.owner && query.owner->empty()) co_return std::vector<FoundEntry>();  // nobody's
  co_return co_await find(std::move(wanted));
}

async::Task<Result<std::vector<FoundEntry>>> SearchIndex::records_of(std::string origin,
                                                                     EntryPlace end,
                                                                     std::int64_t until_ms,
                                                                     std::size_t limit) {
  const Year year = year_of(end.log);
  Wanted wanted{
      .terms = {resource_term(origin), type_term(audit::name(audit::EventType::log_checkpoint))},
      .from_ms = year.begin_ms,
      .last_ms = std::min(year.end_ms, until_ms) - 1,
      .end = std::move(end),
      .limit = limit};
  co_return co_await find(std::move(wanted));
}

// Block by block, that with the newest entry first, until those to come have nothing as new.
async::Task<Result<std::vector<FoundEntry>>> SearchIndex::find(Wanted wanted) {
  const auto until = std::chrono::steady_clock::now() + patience_;
  const std::size_t limit = wanted.limit;
  std::vector<FoundEntry> found;
  SearchPlace at;
  for (bool may_be_more = limit > 0; may_be_more;) {
    const auto blocks = co_await database_.read(wanted.blocks_before(at));
    if (!blocks) co_return fail(blocks.error());
    may_be_more = blocks->size() == kBlocksAtOnce;
    for (const Row& row : *blocks) {
      SR_CO_TRY(at.id, row[0].integer());
      SR_CO_TRY(at.time_ms, row[1].integer());
      if (found.size() == limit && at.time_ms < found.back().at.time_ms) co_return found;
      if (std::chrono::steady_clock::now() >= until) co_return fail(kTooLong);
      SR_CO_TRY(auto in_block, read_all(co_await database_.read(wanted.entries_of(at.id))));
      std::ranges::move(in_block, std::back_inserter(found));
      keep_newest(found, limit);
    }
  }
  co_return found;
}

async::Task<Result<std::vector<FoundEntry>>> SearchIndex::added_after(std::int64_t id,
                                                                      std::size_t limit) {
  Statement newest{.sql = view(kNewest), .parameters = {number(limit)}};
  Statement later{.sql = view(kAddedAfter), .parameters = {Value::integer(id), number(limit)}};
  const auto rows = co_await database_.read(std::move(id < 0 ? newest : later));
  auto found = read_all(rows);
  if (found && id < 0) std::ranges::reverse(*found);
  co_return found;
}

}  // namespace strongroom::connected::relay

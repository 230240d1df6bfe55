// The SQL of the search index.
#include "connected/relay/search_index.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
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

constexpr std::array<Column, 4> kTermColumns{{{"term", ColumnType::text},
                                              {"time", ColumnType::integer},
                                              {"entry", ColumnType::integer},
                                              {"log", ColumnType::integer}}};
constexpr ManySql kAddTerms{
    "INSERT INTO terms (term, time, entry, log) SELECT term, time, entry, log FROM {given}",
    kTermColumns};

// Of a search: $1 to $2 the time, $3 and $4 where it goes on, $5 the owner, $6 the limit, $7 the
// term that leads, $8 to $10 what else an entry must have.
constexpr char kSelect[] = "SELECT e.id, l.name, e.entry_index, e.time FROM ";
// $5 of everybody's is empty, and looked at for nothing.
constexpr char kEverybodys[] = " AND $5 = ''";
constexpr char kOfOwner[] = " AND l.owner = $5";
constexpr auto kByTime = join(kSelect,
                              "entries e JOIN logs l ON l.id = e.log WHERE e.time >= $1 AND "
                              "e.time < $2 AND (e.time, e.id) < ($3, $4)",
                              kEverybodys, " ORDER BY e.time DESC, e.id DESC LIMIT $6");
constexpr char kAnother[] =
    "EXISTS (SELECT 1 FROM terms o WHERE o.time = t.time AND "
    "o.entry = t.entry AND o.term = ";
template <std::size_t N>
consteval auto by_term(const char (&owned)[N]) {
  return join(kSelect,
              "terms t CROSS JOIN entries e ON e.id = t.entry JOIN logs l ON l.id = t.log "
              "WHERE t.term = $7 AND t.time >= $1 AND t.time < $2 AND (t.time, t.entry) < ($3, $4) "
              "AND ($8 = '' OR ",
              kAnother, "$8)) AND ($9 = '' OR ", kAnother, "$9)) AND ($10 = '' OR ", kAnother,
              "$10))", owned, " ORDER BY t.time DESC, t.entry DESC LIMIT $6");
}
constexpr auto kEverybodysByTerm = by_term(kEverybodys);
constexpr auto kOwnersByTerm = by_term(kOfOwner);
constexpr std::size_t kTermsMax = 4;

// The time, $2 to $3, and the log are in the term's own row: what does not fit costs no look at its
// entry, of which a year has half a million.
constexpr auto kRecords =
    join(kSelect,
         "terms t CROSS JOIN entries e ON e.id = t.entry JOIN logs l ON l.id = t.log "
         "WHERE t.term = $1 AND t.time >= $2 AND t.time < $3 AND t.log = $4 AND "
         "e.entry_index < $5 AND ",
         kAnother, "$6) ORDER BY t.time DESC, t.entry DESC LIMIT $7");
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

}  // namespace

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
  std::vector<Row> entry_rows;
  std::vector<Row> term_rows;
  entry_rows.reserve(entries.size());
  std::int64_t id = last_entry_;
  std::int64_t deed = last_deed_;
  for (const IndexedEntry& entry : entries) {
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
    for (const std::string& term : entry.terms) {
      term_rows.push_back({Value::text(term), Value::integer(entry.time_ms), Value::integer(id),
                           Value::integer(log.id)});
    }
  }
  std::vector<Row> log_rows;
  log_rows.reserve(changed.size());
  for (const auto& [name, log] : changed) {
    log_rows.push_back({Value::integer(log.id), Value::text(name), Value::text(owner_of(name)),
                        number(log.size), number(log.unread)});
  }
  std::vector<ManyStatement> statements;
  statements.reserve(3);
  statements.push_back({.many = kPutLogs, .rows = std::move(log_rows)});
  statements.push_back({.many = kAddEntries, .rows = std::move(entry_rows)});
  statements.push_back({.many = kAddTerms, .rows = std::move(term_rows)});
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
  std::vector<std::string> terms = terms_of(query);
  const std::string_view by_term = query.owner ? view(kOwnersByTerm) : view(kEverybodysByTerm);
  Statement statement{
      .sql = terms.empty() ? view(kByTime) : by_term,
      .parameters = {Value::integer(query.from_ms), Value::integer(query.to_ms),
                     Value::integer(query.before.time_ms), Value::integer(query.before.id),
                     Value::text(query.owner.value_or("")), number(query.limit)}};
  if (!terms.empty()) {
    terms.resize(kTermsMax);
    for (const std::string& term : terms) statement.parameters.push_back(Value::text(term));
  }
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_all(rows);
}

async::Task<Result<std::vector<FoundEntry>>> SearchIndex::records_of(std::string origin,
                                                                     EntryPlace end,
                                                                     std::int64_t until_ms,
                                                                     std::size_t limit) {
  const auto log = logs_.find(end.log);
  if (log == logs_.end()) co_return std::vector<FoundEntry>();
  const Year year = year_of(end.log);
  Statement statement{
      .sql = view(kRecords),
      .parameters = {Value::text(resource_term(origin)), Value::integer(year.begin_ms),
                     Value::integer(std::min(year.end_ms, until_ms)),
                     Value::integer(log->second.id), number(end.index),
                     Value::text(type_term(audit::name(audit::EventType::log_checkpoint))),
                     number(limit)}};
  const auto rows = co_await database_.read(std::move(statement));
  co_return read_all(rows);
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

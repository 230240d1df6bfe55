#include "connected/relay/witnessed_proof.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <limits>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

#include "audit/entry_view.h"
#include "audit/logs.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

namespace json = boost::json;
using http::Request;
using wire::Problem;
using wire::ProblemType;

// Of several, for the note that a record tells of may be lost: the disk had not got it yet.
constexpr std::size_t kRecordsMax = 8;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr Problem kNotInTheLog{ProblemType::not_found, "no checkpoint of the log covers it (yet)"};
constexpr Problem kNotWitnessed{
    ProblemType::not_witnessed,
    "the operator's log records this one once a minute at most, and is then cosigned",
    {},
    60};
constexpr Problem kNoWitness{ProblemType::not_witnessed,
                             "no witness has cosigned any of the operator's logs yet: ask the "
                             "operator whether one is set up"};
constexpr Problem kNotReadable{ProblemType::service_unavailable, "try again", {}, 1};
constexpr Problem kNotIndexed{
    ProblemType::service_unavailable, "the search index is not that far yet", {}, 1};
constexpr Error kNotCovered{ErrorCode::not_found, "no checkpoint covers the entry"};
constexpr Error kRecordIsAway{ErrorCode::gone, "the record is in an archive"};
constexpr Problem kNoIndex{ProblemType::database_unavailable, "try again", {}, 1};
constexpr Problem kArchived{ProblemType::entry_archived,
                            "what records it is in an archive: an operator brings it back with "
                            "strongroom audit restore"};

// The newest checkpoint of an operator's log that witnesses have cosigned.
struct Cosigned {
  EntryPlace end;             // the log, and how many entries the witnesses have seen the root of
  std::int64_t until_ms = 0;  // after all of them
  std::string note;
};

// What a search for the record needs of the files.
struct Heads {
  std::string origin;              // of the log
  bool archived = false;           // the entry is, and so may be its record, which came later
  std::vector<Cosigned> cosigned;  // newest log first
};

struct Proven {
  std::string entry;  // its exact bytes; empty: they are in an archive
  std::string proof;  // the text of its proof file
};

struct Witnessed {
  Proven entry;
  std::optional<Proven> record;  // none: the entry's own log is cosigned
};

std::vector<std::string> operators_logs(const LogSizes& sizes) {
  std::vector<std::string> logs;
  for (const auto& [log, size] : sizes | std::views::reverse) {
    if (audit::is_operators(log)) logs.push_back(log);
  }
  return logs;
}

Result<std::string> entry_at(const LogFiles& files, const EntryPlace& place) {
  SR_TRY(std::vector<std::string> entries, files.entries(std::span(&place, 1)));
  return std::move(entries.front());
}

// After all entries before `end`; a day more than the last one's time, for clocks differ. Of one
// that is in an archive nobody knows it.
std::int64_t time_after(const LogFiles& files, const EntryPlace& end) {
  const auto last = entry_at(files, {end.log, end.index - 1});
  const auto view = audit::read_entry(last ? std::string_view(*last) : std::string_view());
  return view ? view->time_ms + kDayMs : std::numeric_limits<std::int64_t>::max();
}

// not_found: no checkpoint of the log covers the entry.
Result<Heads> read_heads(const LogFiles& files, const EntryPlace& place,
                         std::vector<std::string> operators) {
  Heads heads;
  SR_TRY(const std::string newest, files.checkpoint(place.log));
  SR_TRY(const audit::Checkpoint checkpoint, audit::read_checkpoint(newest));
  heads.origin = checkpoint.origin;
  if (place.index >= checkpoint.size) return fail(kNotCovered);
  SR_TRY(const std::string entry, entry_at(files, place));
  heads.archived = entry.empty();
  for (std::string& name : operators) {
    auto note = files.cosigned(name);
    if (!note && note.error().code() == ErrorCode::not_found) continue;
    if (!note) return std::unexpected(note.error());
    SR_TRY(const std::uint64_t size, size_of_note(*note));
    EntryPlace end{std::move(name), size};
    const std::int64_t until_ms = time_after(files, end);
    heads.cosigned.push_back({std::move(end), until_ms, *std::move(note)});
  }
  return heads;
}

Result<Proven> prove(const LogFiles& files, const EntryPlace& place, std::string note) {
  SR_TRY(std::string proof, files.proof_to(std::move(note), place.log, place.index));
  SR_TRY(std::string entry, entry_at(files, place));
  return Proven{std::move(entry), std::move(proof)};
}

// The checkpoint that the entry, a log.checkpoint, tells of.
std::optional<audit::Checkpoint> told_by(std::string_view entry) {
  const auto view = audit::read_entry(entry);
  if (!view || view->event_type != audit::EventType::log_checkpoint) return std::nullopt;
  if (view->resource_count == 0 || !view->tree_size || !view->tree_root) return std::nullopt;
  return audit::Checkpoint{std::string(view->resources[0]), *view->tree_size, *view->tree_root};
}

// An entry of the very log that is cosigned; nullopt: it came later.
Result<std::optional<Witnessed>> prove_cosigned(const LogFiles& files, const EntryPlace& place,
                                                const Cosigned& cosigned) {
  if (place.index >= cosigned.end.index) return std::nullopt;
  SR_TRY(Proven entry, prove(files, place, cosigned.note));
  return Witnessed{std::move(entry), std::nullopt};
}

// With the first of `records`, newest first, that covers the entry; nullopt: none does. gone: it is
// in an archive.
Result<std::optional<Witnessed>> prove_recorded(const LogFiles& files, const EntryPlace& place,
                                                const Cosigned& cosigned,
                                                const std::vector<FoundEntry>& records) {
  for (const FoundEntry& found : records) {
    SR_TRY(const std::string text, entry_at(files, found.place));
    if (text.empty()) return fail(kRecordIsAway);
    const auto told = told_by(text);
    if (!told || place.index >= told->size) continue;
    SR_TRY(auto note, files.note_of(place.log, *told));
    if (!note) continue;
    SR_TRY(Proven entry, prove(files, place, *std::move(note)));
    SR_TRY(Proven record, prove(files, found.place, cosigned.note));
    return Witnessed{std::move(entry), std::move(record)};
  }
  return std::nullopt;
}

json::object to_json(const Proven& proven) {
  json::value entry(nullptr);
  if (!proven.entry.empty()) entry = proven.entry;
  return {{"entry", std::move(entry)}, {"proof", proven.proof}};
}

std::string text_of(const Witnessed& witnessed) {
  json::object object{{"object", "witnessed_proof"}};
  for (const auto& [name, value] : to_json(witnessed.entry)) object[name] = value;
  object["record"] = nullptr;
  if (witnessed.record) object["record"] = to_json(*witnessed.record);
  return json::serialize(object);
}

Problem problem_of(const Error& error) {
  if (error.code() == ErrorCode::not_found) return kNotInTheLog;
  if (error.code() == ErrorCode::gone) return kArchived;
  return wire::problem_of(error);
}

async::Task<Result<std::vector<FoundEntry>>> find_records(RouteParts parts, const Request& request,
                                                          std::string origin,
                                                          const Cosigned& cosigned) {
  const std::optional<Turns::Turn> turn = co_await take_turn(parts, request);
  EntryPlace end = cosigned.end;
  co_return co_await parts.index.records_of(std::move(origin), std::move(end), cosigned.until_ms,
                                            kRecordsMax);
}

// Why no record was found.
Problem nothing_found(const SearchIndex& index, const Heads& heads) {
  const LogSizes sizes = index.sizes();
  const LogSizes unread = index.unread();
  Problem why = heads.cosigned.empty() ? kNoWitness : kNotWitnessed;
  for (const Cosigned& one : heads.cosigned) {
    const auto size = sizes.find(one.end.log);
    if (size == sizes.end() || size->second < one.end.index) return kNotIndexed;
    if (heads.archived && unread.contains(one.end.log)) why = kArchived;
  }
  return why;
}

}  // namespace

async::Task<Answer<std::string>> witnessed_proof(RouteParts parts, const Request& request,
                                                 std::string log, std::uint64_t index) {
  const EntryPlace place{std::move(log), index};
  if (!parts.watch.readable()) co_return std::unexpected(kNotReadable);
  std::vector<std::string> operators = operators_logs(parts.watch.state().signed_sizes);
  auto look = [&parts, &place, operators = std::move(operators)]() mutable {
    return read_heads(parts.logs, place, std::move(operators));
  };
  const Result<Heads> heads = co_await parts.pool.run(parts.loop, std::move(look));
  if (!heads) co_return std::unexpected(problem_of(heads.error()));
  for (const Cosigned& cosigned : heads->cosigned) {
    auto records = co_await find_records(parts, request, heads->origin, cosigned);
    if (!records) co_return std::unexpected(kNoIndex);
    auto work = [&] {
      return cosigned.end.log == place.log ? prove_cosigned(parts.logs, place, cosigned)
                                           : prove_recorded(parts.logs, place, cosigned, *records);
    };
    auto witnessed = co_await parts.pool.run(parts.loop, std::move(work));
    if (!witnessed) co_return std::unexpected(problem_of(witnessed.error()));
    if (*witnessed) co_return text_of(**witnessed);
  }
  co_return std::unexpected(nothing_found(parts.index, *heads));
}

}  // namespace strongroom::connected::relay

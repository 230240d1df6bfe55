#include "connected/relay/entry_routes.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "audit/merkle.h"
#include "base/encoding.h"
#include "base/try.h"
#include "connected/relay/requests.h"

namespace strongroom::connected::relay {
namespace {

using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::chrono::milliseconds kTailPatience{5'000};
constexpr std::chrono::milliseconds kTailStep{100};
constexpr Problem kNoIndex{ProblemType::database_unavailable, "try again", {}, 1};
constexpr Problem kTooLong{ProblemType::database_unavailable,
                           "the search takes too long: ask for a shorter time", "?from"};

// An entry in its place. It is given byte for byte as it was logged: what leaf_hash is the hash of.
void append_json(std::string& out, const EntryPlace& place, std::string_view entry) {
  const std::string_view owner = owner_of(place.log);
  const std::string hash = base64(audit::leaf_hash(as_bytes(entry)));
  fmt::format_to(std::back_inserter(out),
                 R"({}{{"object":"audit_entry","owner":"{}","shard":"{}","index":{},)"
                 R"("leaf_hash":{},"entry":{}}})",
                 out.empty() ? "" : ",", owner,
                 std::string_view(place.log).substr(owner.size() + 1), place.index,
                 entry.empty() ? "null" : fmt::format("\"{}\"", hash),
                 entry.empty() ? "null" : entry);
}

// The page as text: the entries' bytes are the journal's, the index only says where.
async::Task<Result<std::string>> page_text(RouteParts parts, std::vector<FoundEntry> found) {
  std::vector<EntryPlace> places;
  places.reserve(found.size());
  for (FoundEntry& entry : found) places.push_back(std::move(entry.place));
  auto work = [&parts, places = std::move(places)]() -> Result<std::string> {
    SR_TRY(const std::vector<std::string> entries, parts.logs.entries(places));
    std::string data;
    for (std::size_t i = 0; i < places.size(); ++i) append_json(data, places[i], entries[i]);
    return data;
  };
  co_return co_await parts.pool.run(parts.loop, std::move(work));
}

async::Task<Result<std::vector<FoundEntry>>> find(RouteParts parts, const Request& request,
                                                  SearchQuery query) {
  const std::optional<Turns::Turn> turn = co_await take_turn(parts, request);
  co_return co_await parts.index.search(std::move(query));
}

// How far the index has come: entries that are not in it yet are not found.
std::string progress_json(const RouteParts& parts, const Sight& sight) {
  std::uint64_t in_index = 0;
  std::uint64_t in_logs = 0;
  for (const auto& [log, size] : parts.index.sizes()) {
    if (sight.covers(owner_of(log))) in_index += size;
  }
  for (const auto& [log, size] : parts.watch.state().signed_sizes) {
    if (sight.covers(owner_of(log))) in_logs += size;
  }
  return fmt::format(R"({{"entries":{},"of":{}}})", in_index, std::max(in_index, in_logs));
}

std::optional<std::int64_t> parse_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id < 0) return std::nullopt;
  return id;
}

}  // namespace

async::Task<Response> search_entries(RouteParts parts, Request& request) {
  const std::string_view operation =
      request.ticket() != nullptr ? "GET /v1/audit/entries" : "GET /v1/entries";
  const std::optional<Sight> sight = sight_of(request);
  if (!sight) {
    co_return co_await deny(parts, request, operation, {ProblemType::not_allowed});
  }
  auto query = parse_search(request);
  if (!query) co_return problem(request, query.error());
  if (sight->owner) query->owner = sight->owner;
  Reading reading{.operation = operation, .owner = query->owner.value_or("")};
  for (const std::string& asked : {query->resource, query->actor, query->request_id}) {
    if (!asked.empty()) reading.resources.push_back(asked);
  }
  const Sight searched{query->owner};
  const std::size_t limit = query->limit++;  // one more tells whether there are more
  auto found = co_await find(parts, request, *std::move(query));
  if (!found) {
    const bool too_long = found.error().code() == ErrorCode::exhausted;
    co_return problem(request, too_long ? kTooLong : kNoIndex);
  }
  std::string next = "null";
  if (found->size() > limit) {
    found->pop_back();
    next = fmt::format("\"{}\"", cursor_text(found->back().at));
  }
  const Result<std::string> data = co_await page_text(parts, *std::move(found));
  if (!data) co_return problem(request, wire::problem_of(data.error()));
  Response response = http::json_response(
      200, fmt::format(R"({{"object":"list","data":[{}],"next":{},"indexed":{}}})", *data, next,
                       progress_json(parts, searched)));
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> tail_entries(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "GET /v1/entries/tail";
  std::int64_t after = -1;
  if (const auto text = request.query_parameter("after")) {
    const auto id = parse_id(*text);
    if (!id) {
      co_return problem(request,
                        {ProblemType::invalid_value, "must be the last answer's next", "?after"});
    }
    after = *id;
  }
  const auto limit = http::page_limit(request, kPageSizeMax);
  if (!limit) co_return problem(request, limit.error());
  for (auto left = kTailPatience;
       after >= 0 && parts.index.last_deed() <= after && left.count() > 0 && !parts.stopping;
       left -= kTailStep) {
    co_await parts.loop.sleep_for(kTailStep);
  }
  std::vector<FoundEntry> found;
  if (after < 0 || parts.index.last_deed() > after) {
    auto added = co_await parts.index.added_after(after, *limit);
    if (!added) co_return problem(request, kNoIndex);
    found = *std::move(added);
  }
  if (!found.empty()) after = found.back().at.id;
  const bool shows = !found.empty();
  const Result<std::string> data = co_await page_text(parts, std::move(found));
  if (!data) co_return problem(request, wire::problem_of(data.error()));
  Response response =
      http::json_response(200, fmt::format(R"({{"object":"list","data":[{}],"next":"{}"}})", *data,
                                           std::max<std::int64_t>(after, 0)));
  if (!shows) co_return response;  // nothing was read
  Reading reading{.operation = kOperation};
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

// Says how far the index is, and nothing of what is in the logs: no reading.
async::Task<Response> show_index(RouteParts parts, Request&) {
  const LogSizes unread = parts.index.unread();
  std::string data;
  for (const auto& [log, size] : parts.index.sizes()) {
    const auto found = unread.find(log);
    fmt::format_to(std::back_inserter(data),
                   R"({}{{"object":"indexed_log","log":"{}","entries":{},"unread":{}}})",
                   data.empty() ? "" : ",", log, size, found == unread.end() ? 0 : found->second);
  }
  co_return http::json_response(
      200, fmt::format(R"({{"object":"list","data":[{}],"next":null}})", data));
}

}  // namespace strongroom::connected::relay

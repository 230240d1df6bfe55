#include "connected/relay/log_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/try.h"
#include "connected/relay/requests.h"
#include "connected/relay/witnessed_proof.h"

namespace strongroom::connected::relay {
namespace {

using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kBytes = "application/octet-stream";
// A tile never changes, but only who may read it may keep it.
constexpr std::string_view kImmutable = "private, max-age=31536000, immutable";

constexpr std::chrono::milliseconds kProofStep{100};
// An entry that lies further behind the last one that is signed is not about to be.
constexpr std::uint64_t kProofAheadMax = 4'096;

constexpr Problem kNoSuchLog{ProblemType::not_found, "no such log"};
constexpr Problem kNoSuchEntry{ProblemType::not_found, "no such entry"};
constexpr Problem kNotInTheLog{ProblemType::not_found,
                               "not in the tree of the log's newest checkpoint"};
constexpr Problem kArchived{ProblemType::entry_archived,
                            "an operator brings it back with strongroom audit restore"};

// Runs `read`, which waits for the disk, and makes a response of its text.
template <class Read>
async::Task<Response> read_text(RouteParts parts, const Request& request, std::string_view type,
                                Read read) {
  Result<std::string> text = co_await parts.pool.run(parts.loop, std::move(read));
  if (text) co_return Response{.content_type = type, .headers = {}, .body = *std::move(text)};
  Problem why = wire::problem_of(text.error());
  if (text.error().code() == ErrorCode::not_found) why = kNotInTheLog;
  if (text.error().code() == ErrorCode::gone) why = kArchived;
  co_return problem(request, why);
}

Reading reading_of(const std::string& log, std::string_view operation, std::string what) {
  return {.operation = operation,
          .owner = std::string(owner_of(log)),
          .resources = {log, std::move(what)}};
}

// What stands between a request and the log that it names: scope, owner, and that it is a log.
struct Admitted {
  std::string log{};
  std::optional<Response> refused{};
};
async::Task<Admitted> admit(RouteParts parts, const Request& request, std::string_view operation) {
  Admitted admitted;
  const std::optional<Sight> sight = sight_of(request);
  if (!sight || !sight->covers(request.parameter(0))) {
    const Problem refused = sight ? kNoSuchLog : Problem{ProblemType::not_allowed};
    admitted.refused = co_await deny(parts, request, operation, refused);
    co_return admitted;
  }
  auto log = log_of_path(request.parameter(0), request.parameter(1));
  if (log) {
    admitted.log = *std::move(log);
  } else {
    admitted.refused = problem(request, kNoSuchLog);
  }
  co_return admitted;
}

// How long to wait for a checkpoint that has entry `index`.
std::chrono::milliseconds patience_for(const RouteParts& parts, const std::string& log,
                                       std::uint64_t index) {
  const LogSizes& sizes = parts.watch.state().signed_sizes;
  const auto found = sizes.find(log);
  const std::uint64_t size = found == sizes.end() ? 0 : found->second;
  const bool may_come = index < size || index - size < kProofAheadMax;
  return may_come ? parts.patience : std::chrono::milliseconds(0);
}

}  // namespace

async::Task<Response> list_logs(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "GET /v1/audit/logs";
  const std::optional<Sight> sight = sight_of(request);
  if (!sight) {
    co_return co_await deny(parts, request, kOperation, {ProblemType::not_allowed});
  }
  if (!parts.watch.readable()) {
    co_return problem(request, {ProblemType::service_unavailable, "try again", {}, 1});
  }
  std::string data;
  for (const auto& [log, size] : parts.watch.state().signed_sizes) {
    const std::string_view owner = owner_of(log);
    if (!sight->covers(owner)) continue;
    fmt::format_to(std::back_inserter(data),
                   R"({}{{"object":"audit_log","owner":"{}","shard":"{}","size":{}}})",
                   data.empty() ? "" : ",", owner, std::string_view(log).substr(owner.size() + 1),
                   size);
  }
  Reading reading{.operation = kOperation, .owner = request.ticket()->merchant};
  Response response =
      http::json_response(200, fmt::format(R"({{"object":"list","data":[{}],"next":null}})", data));
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> show_checkpoint(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "GET /v1/audit/logs/{owner}/{shard}/checkpoint";
  Admitted admitted = co_await admit(parts, request, kOperation);
  if (admitted.refused) co_return *std::move(admitted.refused);
  auto read = [&parts, log = admitted.log] { return parts.logs.checkpoint(log); };
  Response response = co_await read_text(parts, request, kText, std::move(read));
  Reading reading = reading_of(admitted.log, kOperation, "checkpoint");
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> show_tile(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "GET /v1/audit/logs/{owner}/{shard}/tile";
  Admitted admitted = co_await admit(parts, request, kOperation);
  if (admitted.refused) co_return *std::move(admitted.refused);
  const std::string path = fmt::format("tile{}", request.parameter(2));
  const auto hashes = audit::parse_tile_path(path);
  const auto tile = hashes ? hashes : audit::parse_bundle_path(path);
  if (!tile) co_return problem(request, {ProblemType::not_found, "no such tile"});
  auto read = [&parts, log = admitted.log, tile = *tile, is_hashes = hashes.has_value()] {
    return is_hashes ? parts.logs.tile(log, tile) : parts.logs.bundle(log, tile);
  };
  Response response = co_await read_text(parts, request, kBytes, std::move(read));
  if (response.status == 200) response.headers.emplace_back("Cache-Control", kImmutable);
  Reading reading = reading_of(admitted.log, kOperation, path);
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> show_proof(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "GET /v1/audit/logs/{owner}/{shard}/proof/{index}";
  Admitted admitted = co_await admit(parts, request, kOperation);
  if (admitted.refused) co_return *std::move(admitted.refused);
  const auto index = parse_index(request.parameter(2));
  if (!index) co_return problem(request, kNoSuchEntry);
  Response response;
  for (auto left = patience_for(parts, admitted.log, *index);; left -= kProofStep) {
    auto read = [&parts, log = admitted.log, index = *index] {
      return parts.logs.proof(log, index);
    };
    response = co_await read_text(parts, request, kText, std::move(read));
    if (response.status != 404 || left.count() <= 0 || parts.stopping) break;
    co_await parts.loop.sleep_for(kProofStep);
  }
  Reading reading = reading_of(admitted.log, kOperation, fmt::format("entry {}", *index));
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> show_witnessed_proof(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation =
      "GET /v1/audit/logs/{owner}/{shard}/proof/{index}/witnessed";
  Admitted admitted = co_await admit(parts, request, kOperation);
  if (admitted.refused) co_return *std::move(admitted.refused);
  const auto index = parse_index(request.parameter(2));
  if (!index) co_return problem(request, kNoSuchEntry);
  auto proof = co_await witnessed_proof(parts, request, admitted.log, *index);
  Response response =
      proof ? http::json_response(200, *std::move(proof)) : problem(request, proof.error());
  Reading reading = reading_of(admitted.log, kOperation, fmt::format("entry {}", *index));
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(response));
}

async::Task<Response> record_file_reading(RouteParts parts, Request& request) {
  constexpr auto kCommands = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"erase-proof", "strongroom erase-proof"},
       {"prove", "strongroom audit prove"},
       {"report", "strongroom audit report"},
       {"verify", "strongroom audit verify"}});
  const auto* const command =
      std::ranges::find(kCommands, request.parameter(0), [](const auto& one) { return one.first; });
  if (command == kCommands.end()) {
    co_return problem(request, {ProblemType::not_found, "no such command"});
  }
  Reading reading{.operation = command->second,
                  .owner = request.query_parameter("merchant").value_or("")};
  if (auto what = request.query_parameter("what")) reading.resources.push_back(*std::move(what));
  Response done{.status = 204, .headers = {}, .body = {}};
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(done));
}

async::Task<Response> record_export(RouteParts parts, Request& request) {
  constexpr std::string_view kOperation = "POST /v1/exports/{owner}/{shard}";
  Admitted admitted = co_await admit(parts, request, kOperation);
  if (admitted.refused) co_return *std::move(admitted.refused);
  Reading reading{.operation = kOperation,
                  .owner = std::string(owner_of(admitted.log)),
                  .resources = {admitted.log},
                  .type = audit::EventType::log_export};
  Response done{.status = 204, .headers = {}, .body = {}};
  co_return co_await answer_recorded(parts, request, std::move(reading), std::move(done));
}

}  // namespace strongroom::connected::relay

#include "connected/relay/reading.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "audit/logs.h"

namespace strongroom::connected::relay {
namespace {

using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kReadOwn = "audit:read";
constexpr std::string_view kReadAll = "audit:read-all";

std::string user_of(const Request& request) {
  if (request.ticket() != nullptr) return request.ticket()->subject;
  if (request.peer().uid) return fmt::format("uid:{}", *request.peer().uid);
  return request.peer().identity;
}

// edged tells where its client stands; an operator is on this host.
std::string source_of(const Request& request) {
  if (request.ticket() != nullptr) return std::string(request.header("strongroom-source"));
  return request.peer().uid ? std::string() : request.peer().source;
}

// A reading must not begin one. A merchant's log begins with the merchant.
bool has_a_log(const LogSizes& logs, std::string_view owner) {
  if (!audit::names_a_log(owner)) return false;
  const std::string beginning = fmt::format("{}-", owner);
  for (auto log = logs.lower_bound(beginning); log != logs.end(); ++log) {
    if (!log->first.starts_with(beginning)) break;
    if (owner_of(log->first) == owner) return true;
  }
  return false;
}

}  // namespace

std::optional<Sight> sight_of(const Request& request) {
  const http::Ticket* ticket = request.ticket();
  if (ticket == nullptr) {
    return request.peer().uid ? std::optional<Sight>(Sight{}) : std::nullopt;
  }
  const bool is_platform = ticket->merchant.empty();
  const std::string_view scope = is_platform ? kReadAll : kReadOwn;
  if (std::ranges::find(ticket->scopes, scope) == ticket->scopes.end()) return std::nullopt;
  return is_platform ? Sight{} : Sight{ticket->merchant};
}

async::Task<Result<void>> record_reading(RouteParts parts, const Request& request, Reading reading,
                                         bool success) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts.random, parts.clock);
  entry.event_type = reading.type;
  entry.outcome = success ? audit::Outcome::success : audit::Outcome::failed;
  entry.time_us = parts.clock.now_us();
  entry.user = user_of(request);
  entry.source_ip = source_of(request);
  entry.operation = reading.operation;
  entry.resources = std::move(reading.resources);
  const bool is_own = request.ticket() != nullptr && request.ticket()->merchant == reading.owner;
  const bool goes_there = is_own ? audit::names_a_log(reading.owner)
                                 : has_a_log(parts.watch.state().signed_sizes, reading.owner);
  if (goes_there) entry.merchant_id = reading.owner;
  if (!goes_there && !reading.owner.empty()) entry.resources.push_back(reading.owner);
  if (entry.resources.empty()) {
    entry.resources.push_back(reading.owner.empty() ? "all logs" : std::move(reading.owner));
  }
  entry.request_id = request.request_id();
  co_return co_await parts.recorder.record(entry);
}

async::Task<std::optional<Turns::Turn>> take_turn(RouteParts parts, const Request& request) {
  if (request.ticket() == nullptr) co_return std::nullopt;
  std::string merchant = request.ticket()->merchant;
  co_return co_await parts.turns.take(std::move(merchant));
}

async::Task<Response> answer_recorded(RouteParts parts, const Request& request, Reading reading,
                                      Response response) {
  const bool success = response.status < 400;
  const Result<void> recorded =
      co_await record_reading(parts, request, std::move(reading), success);
  if (recorded) co_return response;
  co_return problem(request, {ProblemType::audit_unavailable, "try again", {}, 1});
}

async::Task<Response> deny(RouteParts parts, const Request& request, std::string_view operation,
                           Problem refused) {
  audit::Denial denial{.source_ip = source_of(request),
                       .user = user_of(request),
                       .merchant_id = {},
                       .operation = std::string(operation),
                       .request_id = std::string(request.request_id())};
  if (request.ticket() != nullptr) denial.merchant_id = request.ticket()->merchant;
  const Result<void> recorded = co_await parts.denials.record(std::move(denial));
  co_return problem(request, recorded ? refused : Problem{ProblemType::audit_unavailable});
}

Response problem(const Request& request, const Problem& what) {
  return http::problem_response(what, request.request_id());
}

}  // namespace strongroom::connected::relay

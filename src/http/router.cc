// Routing and the checks that come before any handler.
#include "http/router.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/secret.h"
#include "base/try.h"
#include "http/route_table.h"

namespace strongroom::http {
namespace {

using wire::Problem;
using wire::ProblemType;
using Parameters = std::array<std::string_view, Request::kParametersMax>;

// Number of parts when `path` fits `pattern`, filling `parameters`.
std::optional<std::size_t> fit(std::string_view pattern, std::string_view path,
                               Parameters& parameters) noexcept {
  std::size_t count = 0;
  std::size_t at = 0;
  while (at < pattern.size()) {
    if (pattern[at] == '*') {
      if (!path.empty() && !path.starts_with('/')) return std::nullopt;
      parameters[count++] = path;
      return count;
    }
    if (pattern[at] == '{') {
      const std::string_view segment = path.substr(0, path.find('/'));
      if (segment.empty()) return std::nullopt;
      parameters[count++] = segment;
      path.remove_prefix(segment.size());
      at = pattern.find('}', at) + 1;
      continue;
    }
    if (!path.starts_with(pattern[at])) return std::nullopt;
    path.remove_prefix(1);
    ++at;
  }
  return path.empty() ? std::optional(count) : std::nullopt;
}

// A HEAD is answered by the GET route; the server leaves the body out.
bool serves(const Route& route, Method method) noexcept {
  return route.method == method || (route.method == Method::get && method == Method::head);
}

bool admits(const Route& route, const Peer& peer) noexcept {
  return std::ranges::any_of(route.identities, [&](std::string_view identity) {
    if (identity == kAnyone) return true;
    if (identity == kLocal) return peer.uid.has_value();
    return identity == peer.identity;
  });
}

void append_method(std::string& allow, Method method) {
  if (!allow.empty()) allow.append(", ");
  allow.append(to_string(method));
  if (method == Method::get) allow.append(", HEAD");
}

// A pattern is "/"-rooted, its {..} parts are whole segments, and '*' stands at its end alone.
bool is_sound(std::string_view pattern) noexcept {
  std::size_t parts = 0;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '*' || pattern[at] == '{') ++parts;
    if (pattern[at] == '*' && at + 1 != pattern.size()) return false;
    if (pattern[at] != '{') continue;
    const std::size_t end = pattern.find('}', at);
    if (end == std::string_view::npos || at == 0 || pattern[at - 1] != '/') return false;
    if (end + 1 != pattern.size() && pattern[end + 1] != '/') return false;
  }
  return pattern.starts_with('/') && parts <= Request::kParametersMax;
}

}  // namespace

void Router::add(Route route) {
  SR_CHECK(is_sound(route.pattern));
  SR_CHECK(route.body_bytes_max <= SecretBytes::kSizeMax);
  SR_CHECK(std::ranges::none_of(route.identities, &std::string_view::empty));
  SR_CHECK(std::ranges::none_of(routes_, [&](const Route& other) {
    return other.method == route.method && other.pattern == route.pattern;
  }));
  routes_.push_back(std::move(route));
}

std::size_t Router::body_bytes_max(const Head& head) const noexcept {
  Parameters parameters;
  for (const Route& route : routes_) {
    if (serves(route, head.method) && fit(route.pattern, head.path, parameters)) {
      return route.body_bytes_max;
    }
  }
  return kBodyBytesMax;
}

Router::Match Router::match(Request& request) {
  Match match;
  for (Route& route : routes_) {
    Parameters parameters;
    const auto count = fit(route.pattern, request.path(), parameters);
    if (!count) continue;
    if (!serves(route, request.method())) {
      append_method(match.allow, route.method);
      continue;
    }
    request.parameters_ = parameters;
    request.parameter_count_ = *count;
    match.route = &route;
    return match;
  }
  return match;
}

async::Task<Response> Router::deny(Request& request, Problem problem) {
  if (on_denied_) {
    const bool written = co_await on_denied_(request, problem);
    if (!written) problem = {.type = ProblemType::audit_unavailable};
  }
  co_return problem_response(problem, request.request_id());
}

async::Task<Response> Router::dispatch(Request& request) {
  Match found = match(request);
  if (found.route == nullptr) {
    if (found.allow.empty()) {
      co_return problem_response({.type = ProblemType::not_found}, request.request_id());
    }
    Response response =
        problem_response({.type = ProblemType::method_not_allowed}, request.request_id());
    response.headers.emplace_back("Allow", std::move(found.allow));
    co_return response;
  }
  if (!admits(*found.route, request.peer())) {
    co_return co_await deny(request, {.type = ProblemType::not_allowed});
  }
  if (found.route->ticket) {
    SR_CHECK(verifier_ != nullptr);
    auto ticket =
        verifier_->verify(request.header("strongroom-ticket"), found.route->ticket_late_max);
    if (!ticket) {
      co_return co_await deny(request, {.type = ProblemType::not_allowed,
                                        .detail = "the ticket is missing or not valid"});
    }
    request.ticket_ = *std::move(ticket);
  }
  co_return co_await found.route->handler(request);
}

void Router::note(std::string_view request_id, const Response& response) {
  if (response.status >= 400 && on_refused_) on_refused_(request_id, response);
}

namespace internal {

async::Task<Response> not_yet(const Request& request) {
  co_return problem_response({ProblemType::service_unavailable, "try again", {}, 1},
                             request.request_id());
}

}  // namespace internal

}  // namespace strongroom::http

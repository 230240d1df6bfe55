// The tables of routes.
#include "connected/relay/routes.h"

#include <optional>

#include "connected/relay/entry_routes.h"
#include "connected/relay/log_routes.h"
#include "http/route_table.h"

namespace strongroom::connected::relay {
namespace {

using http::Method;
using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kEdge = "edged";

async::Task<bool> audit_denial(RouteParts parts, const Request& request) {
  const Response response =
      co_await deny(parts, request, to_string(request.method()), {ProblemType::not_allowed});
  co_return response.status != 503;
}

// `act`, while its merchant's share lasts.
template <async::Task<Response> (*act)(RouteParts, Request&)>
async::Task<Response> in_share(RouteParts parts, Request& request) {
  const std::optional<http::Shares::Share> share = parts.shares.take(request.ticket()->merchant);
  if (!share) {
    co_return problem(
        request,
        {ProblemType::rate_limited, "too many requests of this merchant are under way", {}, 1});
  }
  co_return co_await act(parts, request);
}

}  // namespace

void add_service_routes(http::Router& router, RouteParts parts) {
  http::RouteTable routes(router, parts, {.identities = {kEdge}, .ticket = true});
  routes.add(Method::get, "/v1/audit/logs", in_share<list_logs>);
  routes.add(Method::get, "/v1/audit/logs/{owner}/{shard}/checkpoint", in_share<show_checkpoint>);
  routes.add(Method::get, "/v1/audit/logs/{owner}/{shard}/tile*", in_share<show_tile>);
  routes.add(Method::get, "/v1/audit/logs/{owner}/{shard}/proof/{index}", in_share<show_proof>);
  routes.add(Method::get, "/v1/audit/logs/{owner}/{shard}/proof/{index}/witnessed",
             in_share<show_witnessed_proof>);
  routes.add(Method::get, "/v1/audit/entries", in_share<search_entries>);
  router.on_denied(
      [parts](const Request& request, const Problem&) { return audit_denial(parts, request); });
}

void add_operator_routes(http::Router& router, RouteParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(Method::get, "/v1/entries", search_entries);
  routes.add(Method::get, "/v1/entries/tail", tail_entries);
  routes.add(Method::get, "/v1/index", show_index);
  routes.add(Method::post, "/v1/readings/{command}", record_file_reading);
  routes.add(Method::post, "/v1/exports/{owner}/{shard}", record_export);
}

}  // namespace strongroom::connected::relay

// The tables of routes.
#include "connected/relay/routes.h"

#include "connected/relay/entry_routes.h"
#include "connected/relay/log_routes.h"

namespace strongroom::connected::relay {
namespace {

using http::Method;
using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kEdge = "edged";

using Act = async::Task<Response> (*)(RouteParts, Request&);

async::Task<Response> not_yet(const Request& request) {
  co_return problem(request, {ProblemType::service_unavailable, "try again", {}, 1});
}

http::Handler handler(RouteParts parts, Act act) {
  return [parts, act](Request& request) {
    return parts.serving ? act(parts, request) : not_yet(request);
  };
}

async::Task<bool> audit_denial(RouteParts parts, const Request& request) {
  const Response response =
      co_await deny(parts, request, to_string(request.method()), {ProblemType::not_allowed});
  co_return response.status != 503;
}

}  // namespace

// The analyzer does not follow a handler, which move_only_function keeps on the heap, into add().
// NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks)
void add_service_routes(http::Router& router, RouteParts parts) {
  const auto add = [&](std::string_view pattern, Act act) {
    router.add({.method = Method::get,
                .pattern = pattern,
                .identities = {kEdge},
                .ticket = true,
                .handler = handler(parts, act)});
  };
  add("/v1/audit/logs", list_logs);
  add("/v1/audit/logs/{owner}/{shard}/checkpoint", show_checkpoint);
  add("/v1/audit/logs/{owner}/{shard}/tile*", show_tile);
  add("/v1/audit/logs/{owner}/{shard}/proof/{index}", show_proof);
  add("/v1/audit/entries", search_entries);
  router.on_denied(
      [parts](const Request& request, const Problem&) { return audit_denial(parts, request); });
}

void add_operator_routes(http::Router& router, RouteParts parts) {
  const auto add = [&](Method method, std::string_view pattern, Act act) {
    router.add({.method = method,
                .pattern = pattern,
                .identities = {http::kLocal},
                .handler = handler(parts, act)});
  };
  add(Method::get, "/v1/entries", search_entries);
  add(Method::get, "/v1/entries/tail", tail_entries);
  add(Method::post, "/v1/exports/{owner}/{shard}", record_export);
}
// NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)

}  // namespace strongroom::connected::relay

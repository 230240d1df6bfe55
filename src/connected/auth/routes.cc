// Handlers: parse, call, answer.
#include "connected/auth/routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "connected/auth/api_key.h"
#include "connected/auth/json.h"
#include "connected/auth/requests.h"
#include "http/route_table.h"

namespace strongroom::connected::auth {
namespace {

using http::Method;
using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kEdge = "edged";

Response problem(const Problem& problem, const Request& request) {
  return http::problem_response(problem, request.request_id());
}
Response problem(ProblemType type, const Request& request) {
  return problem(Problem{.type = type}, request);
}

Response object_response(int status, const boost::json::object& object) {
  return http::json_response(status, boost::json::serialize(object));
}

template <class T>
Response answer(int status, const Answer<T>& result, const Request& request) {
  if (!result) return problem(result.error(), request);
  return object_response(status, to_json(*result));
}

Response created(const Answer<CreatedKey>& result, const Request& request) {
  if (!result) return problem(result.error(), request);
  boost::json::object object = to_json(result->key);
  object["key"] = as_text(result->text.reveal());
  return object_response(201, object);
}

template <class T>
Response page(const Result<Page<T>>& result, const Request& request) {
  if (!result) return problem(ProblemType::database_unavailable, request);
  return object_response(200, to_json(*result));
}

// edged tells where its client stands; from anybody else that field is a claim.
std::string source_of(const Request& request) {
  if (request.peer().uid) return {};
  if (request.peer().identity == kEdge) return std::string(request.header("strongroom-source"));
  return request.peer().source;
}

Actor actor_of(const Request& request) {
  Actor actor{
      .user = {}, .source_ip = source_of(request), .request_id = std::string(request.request_id())};
  if (request.ticket() != nullptr) {
    actor.user = request.ticket()->subject;
  } else if (request.peer().uid) {
    actor.user = fmt::format("uid:{}", *request.peer().uid);
  }
  return actor;
}

// Audits a denial; the answer is `refused`, or that the audit log could not take it.
async::Task<Response> deny(Parts parts, const Request& request, std::string operation,
                           ProblemType refused) {
  audit::Denial denial{.source_ip = source_of(request),
                       .user = {},
                       .merchant_id = {},
                       .operation = std::move(operation),
                       .request_id = std::string(request.request_id())};
  if (request.ticket() != nullptr) {
    denial.user = request.ticket()->subject;
    denial.merchant_id = request.ticket()->merchant;
  }
  const Result<void> recorded = co_await parts.denials.record(std::move(denial));
  co_return problem(recorded ? refused : ProblemType::audit_unavailable, request);
}

async::Task<Response> issue_ticket(Parts parts, Request& request) {
  auto ticket = co_await parts.tickets.issue(request.header("authorization"));
  if (ticket) {
    Response issued{.status = 200,
                    .content_type = "application/jwt",
                    .headers = {},
                    .body = std::move(ticket->text)};
    issued.headers.emplace_back("Strongroom-Merchant", std::move(ticket->merchant));
    co_return issued;
  }
  if (ticket.error().type != ProblemType::api_key_invalid) {
    co_return problem(ticket.error(), request);
  }
  co_return co_await deny(parts, request, "POST /v1/tickets", ProblemType::api_key_invalid);
}

async::Task<Response> create_merchant(Parts parts, Request& request) {
  const auto name = parse_merchant_request(request.body());
  if (!name) co_return problem(name.error(), request);
  const auto result = co_await parts.authority.create_merchant(actor_of(request), *name);
  co_return answer(201, result, request);
}

// The first thing wrong with an id that a client names: only what this process makes goes on to the
// database, so that a card number in the wrong place ends here.
std::optional<Problem> refuse_id(std::string_view id, std::string_view prefix,
                                 const Problem& foreign) {
  if (is_public_id(id, prefix)) return std::nullopt;
  if (looks_like_pan(id)) {
    return Problem{.type = ProblemType::looks_like_card_data,
                   .pointer = foreign.pointer.empty() ? wire::Literal("path") : foreign.pointer};
  }
  return foreign;
}
constexpr Problem kNoSuchKey{.type = ProblemType::not_found, .detail = "no such key"};
constexpr Problem kNoSuchMerchant{.type = ProblemType::not_found, .detail = "no such merchant"};
constexpr Problem kNoSuchPage{.type = ProblemType::invalid_value,
                              .detail = "must be the last answer's next",
                              .pointer = "?after"};

// Where a listing goes on, empty for its beginning, and how far.
struct Asked {
  std::string after;
  std::size_t limit;
};
Answer<Asked> page_asked(const Request& request, std::string_view prefix) {
  std::string after = request.query_parameter("after").value_or("");
  if (!after.empty()) {
    if (auto wrong = refuse_id(after, prefix, kNoSuchPage)) return std::unexpected(*wrong);
  }
  SR_TRY(const std::size_t limit, http::page_limit(request, kPageSizeMax));
  return Asked{.after = std::move(after), .limit = limit};
}

async::Task<Response> list_merchants(Parts parts, Request& request) {
  const auto asked = page_asked(request, kMerchantPrefix);
  if (!asked) co_return problem(asked.error(), request);
  const auto result = co_await parts.directory.merchants(asked->after, asked->limit);
  co_return page(result, request);
}

async::Task<Response> show_merchant(Parts parts, Request& request) {
  if (auto wrong = refuse_id(request.parameter(0), kMerchantPrefix, kNoSuchMerchant)) {
    co_return problem(*wrong, request);
  }
  const auto found = co_await parts.directory.merchant(std::string(request.parameter(0)));
  if (!found) co_return problem(ProblemType::database_unavailable, request);
  if (!found->has_value()) co_return problem(kNoSuchMerchant, request);
  co_return object_response(200, to_json(**found));
}

async::Task<Response> create_key(Parts parts, Request& request) {
  const auto asked = parse_key_request(request.body(), std::nullopt);
  if (!asked) co_return problem(asked.error(), request);
  const auto result = co_await parts.authority.create_key(actor_of(request), *asked);
  co_return created(result, request);
}

async::Task<Response> list_keys(Parts parts, Request& request) {
  const std::string merchant = request.query_parameter("merchant").value_or("");
  if (!is_public_id(merchant, kMerchantPrefix)) {
    co_return problem(Problem{.type = ProblemType::invalid_value,
                              .detail = "must name a merchant: ?merchant=mer_...",
                              .pointer = "?merchant"},
                      request);
  }
  const auto asked = page_asked(request, kKeyIdPrefix);
  if (!asked) co_return problem(asked.error(), request);
  const auto result = co_await parts.directory.keys(merchant, asked->after, asked->limit);
  co_return page(result, request);
}

async::Task<Response> revoke_key(Parts parts, Request& request) {
  if (auto wrong = refuse_id(request.parameter(0), kKeyIdPrefix, kNoSuchKey)) {
    co_return problem(*wrong, request);
  }
  const auto result = co_await parts.authority.revoke_key(
      actor_of(request), std::string(request.parameter(0)), std::nullopt);
  co_return answer(200, result, request);
}

// A ticket without a merchant is of the platform, and these routes are of a merchant's own keys.
bool may(const Request& request, std::string_view scope) {
  const http::Ticket& ticket = *request.ticket();
  return !ticket.merchant.empty() && std::ranges::find(ticket.scopes, scope) != ticket.scopes.end();
}

async::Task<Response> create_own_key(Parts parts, Request& request) {
  if (!may(request, "api-keys:write")) {
    co_return co_await deny(parts, request, "POST /v1/api-keys", ProblemType::not_allowed);
  }
  if (!request.is_json()) {
    co_return problem(
        Problem{.type = ProblemType::unsupported_media_type, .detail = "send application/json"},
        request);
  }
  const auto asked = parse_key_request(request.body(), request.ticket()->merchant);
  if (!asked) co_return problem(asked.error(), request);
  const auto result = co_await parts.authority.create_key(actor_of(request), *asked);
  co_return created(result, request);
}

async::Task<Response> list_own_keys(Parts parts, Request& request) {
  if (!may(request, "api-keys:read")) {
    co_return co_await deny(parts, request, "GET /v1/api-keys", ProblemType::not_allowed);
  }
  const auto asked = page_asked(request, kKeyIdPrefix);
  if (!asked) co_return problem(asked.error(), request);
  const auto result =
      co_await parts.directory.keys(request.ticket()->merchant, asked->after, asked->limit);
  co_return page(result, request);
}

async::Task<Response> revoke_own_key(Parts parts, Request& request) {
  if (!may(request, "api-keys:write")) {
    co_return co_await deny(parts, request, "DELETE /v1/api-keys/{id}", ProblemType::not_allowed);
  }
  if (auto wrong = refuse_id(request.parameter(0), kKeyIdPrefix, kNoSuchKey)) {
    co_return problem(*wrong, request);
  }
  const auto result = co_await parts.authority.revoke_key(
      actor_of(request), std::string(request.parameter(0)), request.ticket()->merchant);
  co_return answer(200, result, request);
}

async::Task<bool> audit_denial(Parts parts, const Request& request) {
  const Response response = co_await deny(parts, request, std::string(to_string(request.method())),
                                          ProblemType::not_allowed);
  co_return response.status != 503;
}

}  // namespace

void add_service_routes(http::Router& router, Parts parts, Profile profile) {
  std::vector<std::string_view> ticket_takers{kEdge, "strongroom-cards"};
  if (profile == Profile::demo) ticket_takers.push_back("loadgen");
  http::RouteTable(router, parts, {.identities = std::move(ticket_takers)})
      .add(Method::post, "/v1/tickets", issue_ticket);
  http::RouteTable routes(router, parts, {.identities = {kEdge}, .ticket = true});
  routes.add(Method::get, "/v1/api-keys", list_own_keys);
  routes.add(Method::post, "/v1/api-keys", create_own_key);
  routes.add(Method::delete_, "/v1/api-keys/{id}", revoke_own_key);
  router.on_denied(
      [parts](const Request& request, const Problem&) { return audit_denial(parts, request); });
}

void add_operator_routes(http::Router& router, Parts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(Method::post, "/v1/merchants", create_merchant);
  routes.add(Method::get, "/v1/merchants", list_merchants);
  routes.add(Method::get, "/v1/merchants/{id}", show_merchant);
  routes.add(Method::post, "/v1/api-keys", create_key);
  routes.add(Method::get, "/v1/api-keys", list_keys);
  routes.add(Method::post, "/v1/api-keys/{id}/revoke", revoke_key);
}

}  // namespace strongroom::connected::auth

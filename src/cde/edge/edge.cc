// Passing requests on. Upstream headers are built or on the list of four that are copied; a
// merchant, a ticket or a source that the client claims in a header of its own never gets further.
#include "cde/edge/edge.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "cde/edge/openapi.h"

namespace strongroom::cde {
namespace {

using http::Method;
using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

constexpr Problem kNoAnswer{ProblemType::service_unavailable, "try again", {}, 1};
constexpr Problem kOverloaded{ProblemType::overloaded, "try again", {}, 1};
constexpr Problem kTooManyUnderWay{
    ProblemType::rate_limited, "too many requests of this merchant are under way", {}, 1};
constexpr Problem kCardInQuery{ProblemType::looks_like_card_data,
                               "a query must not hold a card number", "query"};
constexpr Problem kCardInPath{ProblemType::looks_like_card_data,
                              "a path must not hold a card number", "path"};
// Which of its members is not told, for nobody here parses it.
constexpr Problem kCardInBody{
    ProblemType::looks_like_card_data,
    "a text or number in it has 12 to 19 digits with a right check digit; only POST /v1/tokens"
    " takes a card number",
    "body"};
constexpr Problem kCardInKey{
    ProblemType::looks_like_card_data,
    "it has 12 to 19 digits with a right check digit: take random letters and digits",
    "Idempotency-Key"};
constexpr Problem kCardInHead{ProblemType::looks_like_card_data,
                              "a header field must not hold a card number"};

// Content-Length is the client's own doing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kCopiedRequestHeaders{{
    {"content-type", "Content-Type"},
    {"accept", "Accept"},
    {"idempotency-key", "Idempotency-Key"},
}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kCopiedResponseHeaders{{
    {"cache-control", "Cache-Control"},
    {"retry-after", "Retry-After"},
    {"allow", "Allow"},
    {"idempotent-replayed", "Idempotent-Replayed"},
}};

http::ClientRequest upstream_request(const Request& request, std::string_view target,
                                     std::string ticket) {
  http::ClientRequest upstream{
      .method = request.method(), .target = target, .body = request.body()};
  upstream.headers.emplace_back("Strongroom-Ticket", std::move(ticket));
  upstream.headers.emplace_back("Strongroom-Request-Id", std::string(request.request_id()));
  upstream.headers.emplace_back("Strongroom-Source", request.peer().source);
  if (!request.traceparent().empty()) {
    upstream.headers.emplace_back("traceparent", std::string(request.traceparent()));
  }
  for (const auto& [from, to] : kCopiedRequestHeaders) {
    const std::string_view value = request.header(from);
    if (!value.empty()) upstream.headers.emplace_back(to, std::string(value));
  }
  return upstream;
}

// Where a card number stands in what would leave the CDE; empty: nowhere.
std::optional<Problem> misplaced_pan(const Request& request, std::string_view target) {
  if (looks_like_pan(target)) return kCardInPath;
  if (looks_like_pan(as_text(request.body()))) return kCardInBody;
  if (looks_like_pan(request.header("idempotency-key"))) return kCardInKey;
  const bool in_head = std::ranges::any_of(kCopiedRequestHeaders, [&request](const auto& name) {
    return looks_like_pan(request.header(name.first));
  });
  return in_head ? std::optional(kCardInHead) : std::nullopt;
}

// Our services answer in these types; anything else is passed on as bytes.
std::string_view content_type_of(const http::ClientResponse& response) {
  const std::string_view type = response.header("content-type");
  for (const std::string_view known :
       {"application/json", "application/problem+json", "text/plain; charset=utf-8"}) {
    if (type == known) return known;
  }
  return response.body.empty() ? "" : "application/octet-stream";
}

Response downstream_response(http::ClientResponse answer) {
  Response response{.status = answer.status, .content_type = content_type_of(answer)};
  for (const auto& [from, to] : kCopiedResponseHeaders) {
    const std::string_view value = answer.header(from);
    if (!value.empty()) response.headers.emplace_back(to, value);
  }
  response.body = std::move(answer.body);
  return response;
}

Response problem(const Request& request, const Problem& what) {
  Response response = http::problem_response(what, request.request_id());
  if (what.type == ProblemType::api_key_invalid) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return response;
}

// The same path and query, for who serves what the public API shows.
std::string target_of(const Request& request) {
  std::string target(request.path());
  if (!request.query().empty()) target.append("?").append(request.query());
  return target;
}

// The slug of the problem that our services answered; empty when it is none of ours.
std::string_view slug_of(const Response& response) {
  constexpr std::string_view kBegin = R"({"type":"urn:strongroom:problem:)";
  std::string_view text = response.body;
  if (!text.starts_with(kBegin)) return {};
  text.remove_prefix(kBegin.size());
  text = text.substr(0, text.find('"'));
  return wire::problem_type_of(text) ? text : std::string_view{};
}

}  // namespace

async::Task<Response> Edge::pass(http::Client& upstream, std::string target, Request& request,
                                 http::Shares* shares) {
  if (looks_like_pan(request.query())) co_return problem(request, kCardInQuery);
  // Only vaultd is in the CDE: whoever is not must never see a card number, however misplaced.
  if (const auto misplaced = misplaced_pan(request, target)) co_return problem(request, *misplaced);
  Send send = [&upstream](const http::ClientRequest& onward) { return upstream.send(onward); };
  co_return co_await pass_by(std::move(send), std::move(target), request, shares);
}

async::Task<Response> Edge::pass_card(std::string key, std::string target, Request& request) {
  // Nobody reads the query of a card's route, but the client's own proxies log it: it must hear.
  if (looks_like_pan(request.query())) co_return problem(request, kCardInQuery);
  Send send = [this, &key](const http::ClientRequest& onward) {
    return vaultds_.send(key, onward);
  };
  co_return co_await pass_by(std::move(send), std::move(target), request, nullptr);
}

async::Task<Response> Edge::pass_by(Send send, std::string target, Request& request,
                                    http::Shares* shares) {
  TicketDesk::Answer ticket = co_await tickets_.ticket(request.header("authorization"),
                                                       request.peer().source, request.request_id());
  if (!ticket) co_return problem(request, ticket.error());
  const std::optional<http::Shares::Share> share =
      shares != nullptr ? shares->take(ticket->merchant) : std::nullopt;
  if (shares != nullptr && !share) co_return problem(request, kTooManyUnderWay);
  const http::ClientRequest onward = upstream_request(request, target, std::move(ticket->text));
  Result<http::ClientResponse> answer = co_await send(onward);
  if (!answer) {
    const bool full = answer.error().code() == ErrorCode::exhausted;
    co_return problem(request, full ? kOverloaded : kNoAnswer);
  }
  co_return downstream_response(*std::move(answer));
}

void Edge::add_routes(http::Router& router) {
  router.on_refused([this](std::string_view request_id, const Response& response) {
    refused_.warn(
        {{"request_id", request_id}, {"status", response.status}, {"problem", slug_of(response)}});
  });
  const auto add = [&router](Method method, std::string_view pattern, http::Handler handler) {
    router.add({.method = method,
                .pattern = pattern,
                .identities = {http::kAnyone},
                .handler = std::move(handler)});
  };
  add(Method::post, "/v1/tokens", [this](Request& request) {
    return pass_card(std::string(request.request_id()), "/v1/cards", request);
  });
  for (const Method method : {Method::get, Method::delete_}) {
    add(method, "/v1/tokens/{id}", [this](Request& request) {
      std::string token(request.parameter(0));
      std::string target = "/v1/cards/" + token;
      return pass_card(std::move(token), std::move(target), request);
    });
  }
  add(Method::post, "/v1/api-keys",
      [this](Request& request) { return pass(authd_, "/v1/api-keys", request); });
  add(Method::get, "/v1/api-keys", [this](Request& request) {
    const std::string query(request.query());
    return pass(authd_, query.empty() ? "/v1/api-keys" : "/v1/api-keys?" + query, request);
  });
  add(Method::delete_, "/v1/api-keys/{id}", [this](Request& request) {
    return pass(authd_, "/v1/api-keys/" + std::string(request.parameter(0)), request);
  });
  add(Method::get, "/healthz", [](Request&) -> async::Task<Response> {
    co_return http::json_response(200, R"({"status":"ok"})");
  });
  add(Method::get, "/openapi.json", [](Request&) -> async::Task<Response> {
    co_return http::json_response(200, std::string(openapi_json()));
  });
}

void Edge::add_payment_routes(http::Router& router, http::Client& gatewayd) {
  struct Public {
    Method method;
    std::string_view pattern;
  };
  constexpr std::array<Public, 8> kPublic{{{Method::post, "/v1/payments"},
                                           {Method::get, "/v1/payments"},
                                           {Method::get, "/v1/payments/{id}"},
                                           {Method::post, "/v1/payments/{id}/capture"},
                                           {Method::post, "/v1/payments/{id}/void"},
                                           {Method::post, "/v1/payments/{id}/refunds"},
                                           {Method::get, "/v1/payments/{id}/refunds/{refund}"},
                                           {Method::get, "/v1/connector-accounts"}}};
  for (const Public& route : kPublic) {
    router.add({.method = route.method,
                .pattern = route.pattern,
                .identities = {http::kAnyone},
                .handler = [this, &gatewayd](Request& request) {
                  return pass(gatewayd, target_of(request), request);
                }});
  }
}

void Edge::add_audit_routes(http::Router& router, http::Client& audit_relay) {
  router.add({.method = Method::get,
              .pattern = "/v1/audit*",
              .identities = {http::kAnyone},
              .handler = [this, &audit_relay](Request& request) {
                return pass(audit_relay, target_of(request), request, &audit_shares_);
              }});
}

}  // namespace strongroom::cde

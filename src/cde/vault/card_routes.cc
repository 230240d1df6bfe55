// From HTTP to the vault and back. No answer repeats what was sent: problems are literals, and a
// path that is not a token is only ever called "not found" or "looks like card data".
#include "cde/vault/card_routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "cde/card/cvc_request.h"

namespace strongroom::cde {
namespace {

using http::Request;
using http::Response;
using wire::Problem;
using wire::ProblemType;

// edged and gatewayd act for a client and say where that is; anybody else is its own source.
constexpr std::string_view kSourceHeader = "strongroom-source";
constexpr std::string_view kTicketHeader = "strongroom-ticket";

std::string source_of(const Request& request) {
  const std::string_view told = request.header(kSourceHeader);
  const bool relay = request.peer().identity == "edged" || request.peer().identity == "gatewayd";
  return relay && !told.empty() ? std::string(told) : request.peer().source;
}

Caller caller_of(const Request& request, std::string_view operation) {
  const http::Ticket& ticket = *request.ticket();
  return Caller{.subject = ticket.subject,
                .merchant = ticket.merchant,
                .source = source_of(request),
                .operation = std::string(operation),
                .request_id = std::string(request.request_id()),
                .ticket = std::string(request.header(kTicketHeader))};
}

Response problem(const Request& request, const Problem& what) {
  return http::problem_response(what, request.request_id());
}

// The first thing that forbids the request before anything is looked at.
std::optional<Problem> check(const Request& request, std::string_view scope) {
  if (looks_like_pan(request.header("idempotency-key"))) {
    return Problem{ProblemType::looks_like_card_data, "a key must not hold a card number",
                   "Idempotency-Key"};
  }
  if (looks_like_pan(request.query())) {
    return Problem{ProblemType::looks_like_card_data, "a query must not hold a card number",
                   "query"};
  }
  const http::Ticket& ticket = *request.ticket();
  const bool permitted =
      !ticket.merchant.empty() && std::ranges::find(ticket.scopes, scope) != ticket.scopes.end();
  if (!permitted) return Problem{ProblemType::not_allowed, "the API key lacks the right for this"};
  return std::nullopt;
}

Answer<PublicToken> token_of(const Request& request) {
  const std::string_view text = request.parameter(0);
  if (looks_like_pan(text)) {
    return std::unexpected(
        Problem{ProblemType::looks_like_card_data, "a path must not hold a card number", "path"});
  }
  auto token = PublicToken::parse(text);
  if (!token) return std::unexpected(Problem{ProblemType::not_found, "no such token"});
  return *std::move(token);
}

std::string_view text_of(Duplicate duplicate) {
  switch (duplicate) {
    case Duplicate::new_card:
      return "new";
    case Duplicate::same:
      return "same";
    case Duplicate::changed:
      return "changed";
  }
  std::unreachable();
}

// Refuses for lack of a right, with its entry in the log first (PCI DSS 10.2.1.4).
async::Task<Response> refuse(Vault& vault, Request& request, Problem what, Caller caller) {
  if (what.type == ProblemType::not_allowed) {
    const Answer<void> noted = co_await vault.note_denial(std::move(caller));
    if (!noted) co_return problem(request, noted.error());
  }
  co_return problem(request, what);
}

async::Task<Response> create_card(Vault& vault, Profile profile, const Clock& clock,
                                  Request& request) {
  Caller caller = caller_of(request, "POST /v1/cards");
  if (auto what = check(request, "tokens:write")) {
    co_return co_await refuse(vault, request, *what, std::move(caller));
  }
  if (!request.is_json()) {
    co_return problem(request, {ProblemType::unsupported_media_type, "send application/json"});
  }
  auto parsed = parse_token_request(request.body(), {profile, clock.now_us()});
  if (!parsed) co_return problem(request, parsed.error());
  const Answer<TokenView> view = co_await vault.tokenize(*std::move(parsed), std::move(caller));
  if (!view) co_return problem(request, view.error());
  const int status = view->duplicate == Duplicate::new_card ? 201 : 200;
  co_return http::json_response(status, to_json(*view));
}

async::Task<Response> hold_code(Vault& vault, Request& request) {
  Caller caller = caller_of(request, "PUT /v1/cards/{token}/cvc");
  if (auto what = check(request, "tokens:write")) {
    co_return co_await refuse(vault, request, *what, std::move(caller));
  }
  if (!request.is_json()) {
    co_return problem(request, {ProblemType::unsupported_media_type, "send application/json"});
  }
  Answer<PublicToken> token = token_of(request);
  if (!token) co_return problem(request, token.error());
  auto cvc = parse_cvc_request(request.body());
  if (!cvc) co_return problem(request, cvc.error());
  const Answer<void> held =
      co_await vault.hold_for_peer(*std::move(token), *std::move(cvc), std::move(caller));
  if (!held) co_return problem(request, held.error());
  co_return Response{.status = 204};
}

async::Task<Response> show_card(Vault& vault, Request& request) {
  Caller caller = caller_of(request, "GET /v1/cards/{token}");
  if (auto what = check(request, "tokens:read")) {
    co_return co_await refuse(vault, request, *what, std::move(caller));
  }
  Answer<PublicToken> token = token_of(request);
  if (!token) co_return problem(request, token.error());
  const Answer<TokenView> view = co_await vault.look_up(*std::move(token), std::move(caller));
  if (!view) co_return problem(request, view.error());
  co_return http::json_response(200, to_json(*view));
}

async::Task<Response> delete_card(Vault& vault, Request& request) {
  Caller caller = caller_of(request, "DELETE /v1/cards/{token}");
  if (auto what = check(request, "tokens:delete")) {
    co_return co_await refuse(vault, request, *what, std::move(caller));
  }
  const Answer<PublicToken> token = token_of(request);
  if (!token) co_return problem(request, token.error());
  const Answer<Erasure> erased = co_await vault.erase(*token, std::move(caller));
  if (!erased) co_return problem(request, erased.error());
  if (!erased->held_at_us) co_return Response{.status = 204};
  co_return http::json_response(
      202, fmt::format(R"({{"id":"{}","object":"token","deletion":"held","held_at":"{}"}})",
                       token->text(), rfc3339(*erased->held_at_us)));
}

async::Task<Response> resolve_card(Vault& vault, Request& request) {
  Caller caller = caller_of(request, "POST /v1/cards/{token}/processor-tokens");
  if (auto what = check(request, "payments:write")) {
    co_return co_await refuse(vault, request, *what, std::move(caller));
  }
  if (!request.is_json()) {
    co_return problem(request, {ProblemType::unsupported_media_type, "send application/json"});
  }
  Answer<PublicToken> token = token_of(request);
  if (!token) co_return problem(request, token.error());
  auto asked = wire::parse_processor_token_request(as_text(request.body()));
  if (!asked) co_return problem(request, asked.error());
  const Answer<Resolved> resolved =
      co_await vault.resolve(*std::move(token), *std::move(asked),
                             std::string(request.header(kTicketHeader)), std::move(caller));
  if (!resolved) co_return problem(request, resolved.error());
  const auto* refusal = std::get_if<StoreRefusal>(&*resolved);
  co_return http::json_response(
      200, refusal ? refusal->json : to_json(std::get<wire::ProcessorTokenAnswer>(*resolved)));
}

std::string time_or_null(const std::optional<std::int64_t>& time_us) {
  return time_us ? fmt::format("\"{}\"", rfc3339(*time_us)) : "null";
}

}  // namespace

// Every text in it is ours (brand, digits, base32) or was serialized as JSON before it was sealed.
std::string to_json(const TokenView& view) {
  return fmt::format(
      R"({{"id":"{}","object":"token","card":{{"brand":"{}","bin":"{}","last4":"{}",)"
      R"("exp_month":{},"exp_year":{}}},"created_at":"{}","expires_at":{},"usage_count":{},)"
      R"("usage_limit":{},"metadata":{},"duplicate":"{}"}})",
      view.token.text(), to_string(view.brand), view.bin, view.last4, view.expiry.month(),
      view.expiry.year(), rfc3339(view.created_at_us), time_or_null(view.expires_at_us),
      view.usage_count, view.usage_limit ? std::to_string(*view.usage_limit) : "null",
      view.metadata.empty() ? "{}" : view.metadata, text_of(view.duplicate));
}

void add_card_routes(http::Router& router, Vault& vault, Profile profile, const Clock& clock) {
  std::vector<std::string_view> callers{"edged"};
  if (profile == Profile::demo) callers.push_back("loadgen");
  router.add({.method = http::Method::post,
              .pattern = "/v1/cards",
              .identities = callers,
              .ticket = true,
              .handler = [&vault, profile, &clock](Request& request) {
                return create_card(vault, profile, clock, request);
              }});
  router.add({.method = http::Method::get,
              .pattern = "/v1/cards/{token}",
              .identities = callers,
              .ticket = true,
              .handler = [&vault](Request& request) { return show_card(vault, request); }});
  router.add({.method = http::Method::delete_,
              .pattern = "/v1/cards/{token}",
              .identities = callers,
              .ticket = true,
              .handler = [&vault](Request& request) { return delete_card(vault, request); }});
  router.add({.method = http::Method::put,
              .pattern = "/v1/cards/{token}/cvc",
              .identities = {"vaultd"},
              .ticket = true,
              .handler = [&vault](Request& request) { return hold_code(vault, request); }});
  router.add({.method = http::Method::post,
              .pattern = "/v1/cards/{token}/processor-tokens",
              .identities = {"gatewayd"},
              .ticket = true,
              .handler = [&vault](Request& request) { return resolve_card(vault, request); }});
}

}  // namespace strongroom::cde

// What a neighbor's answer means. Anything that is not the answer of the contract leaves the
// outcome open: money may have moved.
#include "connected/gateway/http_upstream.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "wire/json.h"
#include "wire/processor_token.h"

namespace strongroom::connected::gateway {
namespace {

using http::ClientRequest;
using http::ClientResponse;
using payments::LookUpAnswer;
using payments::Operation;
using payments::OperationOutcome;
using payments::PayAnswer;
using wire::Problem;
using wire::ProblemType;

constexpr unsigned kRetryAfterS = 1;
constexpr Problem kNoAnswer{ProblemType::service_unavailable, "try again", {}, kRetryAfterS};
constexpr Problem kOverloaded{ProblemType::overloaded, "try again", {}, kRetryAfterS};
constexpr std::string_view kProblemPrefix = "urn:strongroom:problem:";
constexpr std::string_view kProblemMedia = "application/problem+json";

// Problems of a neighbor that say something to the merchant. Any other is our own doing.
constexpr std::array kPassedOn{
    ProblemType::api_key_invalid,
    ProblemType::not_allowed,
    ProblemType::not_found,
    ProblemType::payment_state,
    ProblemType::token_deleted,
    ProblemType::token_expired,
    ProblemType::token_used_up,
    ProblemType::rate_limited,
    ProblemType::hsm_unavailable,
    ProblemType::audit_unavailable,
    ProblemType::database_unavailable,
    ProblemType::disk_unavailable,
    ProblemType::service_unavailable,
    ProblemType::sealed,
    ProblemType::overloaded,
};

// The vault's words on the token, as whoever sent it to us reads them.
constexpr std::array kOfTheToken{
    Problem{ProblemType::not_found, "no such token", "#/token"},
    Problem{ProblemType::token_deleted, "the card was deleted", "#/token"},
    Problem{ProblemType::token_expired, "the token's time is over", "#/token"},
    Problem{ProblemType::token_used_up, "the token has been used as often as it may", "#/token"},
};

ClientRequest request_of(http::Method method, std::string_view target, Origin origin,
                         std::string_view body) {
  ClientRequest request{.method = method, .target = target, .body = as_bytes(body)};
  request.headers.emplace_back("Strongroom-Ticket", std::move(origin.ticket));
  if (!origin.request_id.empty()) {
    request.headers.emplace_back("Strongroom-Request-Id", std::move(origin.request_id));
  }
  if (!origin.source.empty()) {
    request.headers.emplace_back("Strongroom-Source", std::move(origin.source));
  }
  if (!origin.traceparent.empty()) {
    request.headers.emplace_back("traceparent", std::move(origin.traceparent));
  }
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  return request;
}

// The type that a problem document names; empty: the answer is none.
std::optional<ProblemType> problem_in(const ClientResponse& response) {
  if (response.status < 400 || response.header("content-type") != kProblemMedia) return {};
  const auto document = wire::parse_strict(response.body, boost::json::storage_ptr());
  const boost::json::object* object = document ? document->if_object() : nullptr;
  const boost::json::value* type = object ? object->if_contains("type") : nullptr;
  const boost::json::string* text = type ? type->if_string() : nullptr;
  if (text == nullptr || !text->starts_with(kProblemPrefix)) return {};
  return wire::problem_type_of(std::string_view(*text).substr(kProblemPrefix.size()));
}

Problem passed_on(ProblemType type) {
  if (std::ranges::find(kPassedOn, type) == kPassedOn.end()) {
    log::error("a neighbor refused our request", {{"type", wire::kind_of(type).slug}});
    return kNoAnswer;
  }
  Problem problem{.type = type};
  if (problem.status() == 503) problem.retry_after_s = kRetryAfterS;
  return problem;
}

// Why nothing was sent; empty: it may have been.
std::optional<Problem> not_sent(const Error& error) {
  if (error.code() == ErrorCode::unknown_outcome) return std::nullopt;
  return error.code() == ErrorCode::exhausted ? kOverloaded : kNoAnswer;
}

// A problem of connectord's says that nothing reached the processor; that its own answer was lost
// (internal, outcome_unknown) does not say so.
std::optional<Problem> refusal(const ClientResponse& response) {
  const auto type = problem_in(response);
  if (!type || *type == ProblemType::internal || *type == ProblemType::outcome_unknown) return {};
  return passed_on(*type);
}

bool is_refusal(OperationOutcome outcome) {
  return outcome == OperationOutcome::declined || outcome == OperationOutcome::failed;
}

std::string_view path_of(Operation operation) {
  switch (operation) {
    case Operation::authorize:
      return "/v1/authorizations";
    case Operation::sale:
      return "/v1/sales";
    case Operation::capture:
      return "/capture";
    case Operation::void_:
      return "/void";
    case Operation::refund:
      return "/refunds";
  }
  std::unreachable();
}

}  // namespace

async::Task<Answer<Resolved>> HttpVault::processor_token(Origin origin, Resolve what) {
  const std::string target = "/v1/cards/" + what.token + "/processor-tokens";
  const std::string body =
      wire::processor_token_request_json(what.account, what.payment, what.stale);
  const ClientRequest request = request_of(http::Method::post, target, std::move(origin), body);
  const Result<ClientResponse> response = co_await vaultds_.send(what.token, request);
  // Asking again changes nothing, so a lost answer is an absent one.
  if (!response) co_return std::unexpected(not_sent(response.error()).value_or(kNoAnswer));
  if (response->status == 200) {
    auto answer = wire::parse_processor_token_answer(response->body);
    if (answer) co_return Resolved{std::move(answer->processor_token), {}};
    auto refusal = payments::parse_pay_answer(response->body);
    if (refusal && is_refusal(refusal->outcome)) co_return Resolved{{}, *std::move(refusal)};
    // Whether the card was put there is not known; asking again for the same payment finds out.
    if (refusal) co_return std::unexpected(kNoAnswer);
  }
  const auto type = problem_in(*response);
  if (!type) log::error("vaultd's answer is none", {{"status", response->status}});
  if (!type) co_return std::unexpected(kNoAnswer);
  const auto known = std::ranges::find(kOfTheToken, *type, &Problem::type);
  co_return std::unexpected(known == kOfTheToken.end() ? passed_on(*type) : *known);
}

async::Task<Answer<PayAnswer>> HttpConnectors::authorize(Origin origin, std::string connector,
                                                         Operation operation,
                                                         payments::AuthorizationRequest request) {
  return pay(std::move(origin), std::move(connector), std::string(path_of(operation)),
             to_json(request));
}

async::Task<Answer<PayAnswer>> HttpConnectors::change(Origin origin, std::string connector,
                                                      Operation operation,
                                                      std::string processor_reference,
                                                      payments::TransactionRequest request) {
  std::string target = "/v1/transactions/" + processor_reference;
  target += path_of(operation);
  return pay(std::move(origin), std::move(connector), std::move(target), to_json(request));
}

async::Task<Answer<PayAnswer>> HttpConnectors::pay(Origin origin, std::string connector,
                                                   std::string target, std::string body) {
  const auto client = clients_.find(connector);
  if (client == clients_.end()) co_return std::unexpected(kNoAnswer);
  const ClientRequest request = request_of(http::Method::post, target, std::move(origin), body);
  const Result<ClientResponse> response = co_await client->second->send(request);
  if (!response) {
    if (const auto problem = not_sent(response.error())) co_return std::unexpected(*problem);
    co_return PayAnswer{};
  }
  if (response->status == 200) {
    auto answer = payments::parse_pay_answer(response->body);
    if (answer) co_return *std::move(answer);
  }
  if (const auto problem = refusal(*response)) co_return std::unexpected(*problem);
  log::error("a connector's answer is none",
             {{"connector", connector}, {"status", response->status}});
  co_return PayAnswer{};
}

async::Task<Answer<LookUpAnswer>> HttpConnectors::look_up(Origin origin, std::string connector,
                                                          payments::LookUpRequest request) {
  const auto client = clients_.find(connector);
  if (client == clients_.end()) co_return std::unexpected(kNoAnswer);
  const std::string target = target_of(request);
  const ClientRequest sent = request_of(http::Method::get, target, std::move(origin), {});
  const Result<ClientResponse> response = co_await client->second->send(sent);
  if (!response) co_return std::unexpected(not_sent(response.error()).value_or(kNoAnswer));
  if (response->status == 200) {
    auto answer = payments::parse_look_up_answer(response->body);
    if (answer) co_return *std::move(answer);
  }
  co_return std::unexpected(refusal(*response).value_or(kNoAnswer));
}

}  // namespace strongroom::connected::gateway

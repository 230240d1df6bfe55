// The way of a request: key, head, idempotency, parameters, method, and the faults on both sides of
// the effect.
#include "simulators/stripe/desk.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "simulators/stripe/another_payment.h"
#include "simulators/stripe/charges_view.h"
#include "simulators/stripe/endpoints.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/request_head.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kBodyBytesMax = std::size_t{64} << 10;
constexpr std::size_t kHugeBytes = std::size_t{10} << 20;
constexpr std::chrono::milliseconds kPauseStep{50};
constexpr std::string_view kGarbage = "<html>\r\n<body>{\"id\": \"pi_\x01";

Response undelivered(http::Delivery delivery) {
  Response response{.status = 200};
  response.delivery = delivery;
  return response;
}

}  // namespace

// Exchange is one request on its way. The request outlives it.
struct Desk::Exchange {
  const Endpoint& endpoint;
  Request& request;
  std::string request_id;
  std::string account{};
  std::string_view key{};  // empty: no Idempotency-Key, or a method that has none
  std::optional<Fault> fault{};

  [[nodiscard]] bool meets(FaultKind kind, FaultTime when) const {
    return fault && fault->kind == kind && fault->when == when;
  }

  // `object` with the fields that each answer has.
  [[nodiscard]] Response respond(int status, std::string body) const {
    Response response = http::json_response(status, std::move(body));
    response.headers.emplace_back("Request-Id", request_id);
    response.headers.emplace_back("Stripe-Version", version_of(request));
    if (!key.empty()) response.headers.emplace_back("Idempotency-Key", key);
    if (status == 409 || status == 503)
      response.headers.emplace_back("Stripe-Should-Retry", "true");
    if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"Stripe\"");
    return response;
  }
  [[nodiscard]] Response refuse(const ApiError& error) const {
    return respond(error.status, boost::json::serialize(to_json(error)));
  }
};

// Executed is what a method made of a request.
struct Desk::Executed {
  int status = 200;
  boost::json::object object{};
  bool kept = true;  // for repetitions: false when the method was not reached
};

Desk::Desk(async::Loop& loop, const Clock& clock, SimulatorOptions options, Ledger ledger,
           SecretBytes fingerprint_key)
    : loop_(loop),
      options_(options),
      ledger_(std::move(ledger)),
      fingerprint_key_(std::move(fingerprint_key)),
      keys_(clock, options.idempotency_records_max) {}

void Desk::add_routes(http::Router& router) {
  for (const Endpoint& endpoint : endpoints()) {
    router.add(
        {.method = endpoint.method,
         .pattern = endpoint.pattern,
         .identities = {http::kAnyone},
         .body_bytes_max = kBodyBytesMax,
         .handler = [this, &endpoint](Request& request) { return serve(endpoint, request); }});
  }
  for (const http::Method method : {http::Method::get, http::Method::post, http::Method::delete_}) {
    router.add({.method = method,
                .pattern = "/v1*",
                .identities = {http::kAnyone},
                .body_bytes_max = kBodyBytesMax,
                .handler = [this](Request&) { return unrecognized(); }});
  }
  router.add({.method = http::Method::get,
              .pattern = "/_sim/charges",
              .identities = {http::kAnyone},
              .handler = [this](Request& request) { return show_charges(request); }});
  control_.add_routes(router);
}

async::Task<Response> Desk::unrecognized() {
  control_.count("unrecognized");
  const ApiError error{.status = 404, .message = "Unrecognized request URL."};
  co_return http::json_response(404, boost::json::serialize(to_json(error)));
}

async::Task<Response> Desk::show_charges(Request& request) {
  const auto limit = parse_integer(request.query_parameter("limit").value_or(""));
  co_return http::json_response(200, boost::json::serialize(charges_view(ledger_, limit)));
}

async::Task<Response> Desk::serve(const Endpoint& endpoint, Request& request) {
  control_.count(fmt::format("{} {}", to_string(endpoint.method), endpoint.pattern));
  Exchange exchange{.endpoint = endpoint, .request = request, .request_id = ledger_.new_id("req_")};
  auto account = account_of(request.header("authorization"));
  if (!account) co_return exchange.refuse(account.error());
  exchange.account = *std::move(account);
  if (auto wrong = check_head(request)) co_return exchange.refuse(*wrong);
  exchange.fault = control_.take_fault(request.path());
  if (endpoint.method == http::Method::post) exchange.key = request.header("idempotency-key");
  co_return co_await serve_once(exchange);
}

async::Task<Response> Desk::serve_once(Exchange& exchange) {
  if (exchange.key.empty()) co_return co_await execute(exchange);
  const auto begun = keys_.begin(exchange.account, exchange.key, fingerprint(exchange.request),
                                 exchange.request_id);
  switch (begun.state) {
    case KeyState::fresh:
      break;
    case KeyState::answered: {
      control_.count_replay();
      Response response = exchange.respond(begun.answer->status, begun.answer->body);
      response.headers.emplace_back("Idempotent-Replayed", "true");
      response.headers.emplace_back("Original-Request", begun.original_request_id);
      co_return response;
    }
    case KeyState::in_progress: {
      ApiError error = invalid_request(
          "There is currently another in-progress request using this Idempotency-Key.", {},
          "idempotency_key_in_use");
      error.status = 409;
      error.type = "idempotency_error";
      co_return exchange.refuse(error);
    }
    case KeyState::mismatch: {
      ApiError error = invalid_request(
          "Keys for idempotent requests can only be used with the same parameters they were first "
          "used with.");
      error.type = "idempotency_error";
      co_return exchange.refuse(error);
    }
  }
  co_return co_await execute(exchange);
}

async::Task<Response> Desk::execute(Exchange& exchange) {
  const bool early = exchange.fault && exchange.fault->when == FaultTime::before_effect;
  if (early && exchange.fault->kind == FaultKind::slow) {
    co_await pause(exchange.fault->delay);
  } else if (early) {
    Executed nothing;
    nothing.kept = false;
    co_return co_await deliver(exchange, std::move(nothing));
  }
  Executed executed = run(exchange);
  co_return co_await deliver(exchange, std::move(executed));
}

Desk::Executed Desk::run(const Exchange& exchange) {
  const auto refused = [](const ApiError& error, bool kept) {
    return Executed{.status = error.status, .object = to_json(error), .kept = kept};
  };
  Request& request = exchange.request;
  std::string query(request.query());
  const bool in_body = request.method() == http::Method::post;
  const std::span<char> text =
      in_body ? std::span(reinterpret_cast<char*>(request.body().data()), request.body().size())
              : std::span(query);
  const auto form = Form::parse(text);
  if (!form) return refused(invalid_request(std::string(form.error().what())), false);
  if (auto wrong = check_parameters(*form, exchange.endpoint.parameters)) {
    return refused(*wrong, false);
  }
  const Call call{.ledger = ledger_,
                  .account = exchange.account,
                  .form = *form,
                  .id = exchange.endpoint.pattern.contains('{') ? request.parameter(0) : "",
                  .decline = exchange.fault ? std::string_view(exchange.fault->decline_code) : "",
                  .search = {.delay_us = options_.search_delay.count() * 1000}};
  Reply reply = exchange.endpoint.act(call);
  if (!reply) return refused(reply.error(), true);
  return {.status = 200, .object = *std::move(reply)};
}

// Keeps the answer for repetitions, and sends it, or what the fault makes of it.
async::Task<Response> Desk::deliver(Exchange& exchange, Executed executed) {
  const FaultKind kind = exchange.fault ? exchange.fault->kind : FaultKind::decline;
  if (kind == FaultKind::status_500) {
    const ApiError error = backend_failed();
    executed = {.status = error.status, .object = to_json(error)};
  }
  keep(exchange, executed);
  switch (kind) {
    case FaultKind::timeout:
      co_return undelivered(http::Delivery::withheld);
    case FaultKind::reset:
      co_return undelivered(http::Delivery::reset);
    case FaultKind::status_503:
      co_return exchange.refuse(unavailable());
    case FaultKind::garbage:
      co_return exchange.respond(200, std::string(kGarbage));
    case FaultKind::huge:
      co_return exchange.respond(
          executed.status, boost::json::serialize(executed.object) + std::string(kHugeBytes, ' '));
    case FaultKind::other_id:
      executed.object = of_another_payment(ledger_, exchange.account, std::move(executed.object));
      break;
    case FaultKind::slow:
      if (exchange.fault->when == FaultTime::after_effect) co_await pause(exchange.fault->delay);
      break;
    case FaultKind::status_500:
    case FaultKind::decline:
      break;
  }
  co_return exchange.respond(executed.status, boost::json::serialize(executed.object));
}

void Desk::keep(const Exchange& exchange, const Executed& executed) {
  if (exchange.key.empty()) return;
  if (!executed.kept) return keys_.release(exchange.account, exchange.key);
  keys_.keep(exchange.account, exchange.key,
             {.status = executed.status, .body = boost::json::serialize(executed.object)});
}

RequestFingerprint Desk::fingerprint(const Request& request) const {
  const auto body = crypto::hmac_sha256(fingerprint_key_.reveal(), request.body());
  std::string text(request.path());
  text.append("\n").append(as_text(body));
  return crypto::hmac_sha256(fingerprint_key_.reveal(), as_bytes(text));
}

async::Task<void> Desk::pause(std::chrono::milliseconds duration) {
  for (; duration.count() > 0 && !stopping_; duration -= kPauseStep) {
    co_await loop_.sleep_for(std::min(duration, kPauseStep));
  }
}

}  // namespace strongroom::simulators::stripe

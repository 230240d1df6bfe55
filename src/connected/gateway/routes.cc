// Handlers: parse, call, answer.
#include "connected/gateway/routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "connected/gateway/ids.h"
#include "connected/gateway/json.h"
#include "connected/gateway/requests.h"
#include "crypto/hash.h"
#include "http/operator_user.h"
#include "http/route_table.h"
#include "payments/idempotency.h"

namespace strongroom::connected::gateway {
namespace {

using http::Method;
using http::Request;
using http::Response;
using payments::Operation;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kEdge = "edged";
constexpr std::string_view kRead = "payments:read";
constexpr std::string_view kWrite = "payments:write";
constexpr std::string_view kMerchantPrefix = "mer_";

Response problem(const Request& request, const Problem& what) {
  return http::problem_response(what, request.request_id());
}

bool may(const Request& request, std::string_view scope) {
  const http::Ticket& ticket = *request.ticket();
  return !ticket.merchant.empty() && std::ranges::find(ticket.scopes, scope) != ticket.scopes.end();
}

// Audits a denial; the answer is not_allowed, or that the audit log could not take it.
async::Task<Response> deny(RouteParts parts, const Request& request, std::string operation) {
  audit::Denial denial{.source_ip = request.peer().source,
                       .user = request.peer().identity,
                       .merchant_id = {},
                       .operation = std::move(operation),
                       .request_id = std::string(request.request_id())};
  if (request.ticket() != nullptr) {
    denial.source_ip = request.header("strongroom-source");
    denial.user = request.ticket()->subject;
    denial.merchant_id = request.ticket()->merchant;
  }
  const Result<void> recorded = co_await parts.denials.record(std::move(denial));
  co_return problem(request,
                    {recorded ? ProblemType::not_allowed : ProblemType::audit_unavailable});
}

Origin origin_of(const Request& request) {
  return {.ticket = std::string(request.header("strongroom-ticket")),
          .request_id = std::string(request.request_id()),
          .source = std::string(request.header("strongroom-source")),
          .traceparent = std::string(request.traceparent())};
}

// What moves money, as far as its head and body tell.
struct Asked {
  Call call;
  boost::json::value body;
};
Answer<Asked> asked_of(const Request& request) {
  auto key = payments::parse_idempotency_key(request.header("idempotency-key"));
  if (!key) return std::unexpected(key.error());
  if (!request.body().empty() && !request.is_json()) {
    return std::unexpected(Problem{ProblemType::unsupported_media_type, "send application/json"});
  }
  auto body = parse_json_body(request.body());
  if (!body) return std::unexpected(body.error());
  const std::string text =
      payments::fingerprint_text(to_string(request.method()), request.path(), *body);
  return Asked{Call{.merchant = request.ticket()->merchant,
                    .origin = origin_of(request),
                    .idempotency_key = *std::move(key),
                    .fingerprint = crypto::sha256(as_bytes(text))},
               *std::move(body)};
}

Response answered(int status, std::string body, const Done& done) {
  Response response = http::json_response(status, std::move(body));
  if (done.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  return response;
}

constexpr Problem kNoSuchPage{.type = ProblemType::invalid_value,
                              .detail = "must be the last answer's next",
                              .pointer = "?after"};

// Only what this process makes goes on to the database, so that a card number in the wrong place
// ends here.
std::optional<Problem> refuse_id(std::string_view id, const Problem& foreign,
                                 std::string_view prefix = kPaymentPrefix) {
  if (is_public_id(id, prefix)) return std::nullopt;
  if (looks_like_pan(id)) {
    return Problem{.type = ProblemType::looks_like_card_data,
                   .pointer = foreign.pointer.empty() ? wire::Literal("path") : foreign.pointer};
  }
  return foreign;
}

async::Task<Response> create_payment(RouteParts parts, Request& request) {
  if (!may(request, kWrite)) co_return co_await deny(parts, request, "POST /v1/payments");
  auto asked = asked_of(request);
  if (!asked) co_return problem(request, asked.error());
  auto wanted = parse_payment_request(asked->body);
  if (!wanted) co_return problem(request, wanted.error());
  const Answer<Done> done = co_await parts.payments.pay(std::move(asked->call), *std::move(wanted));
  if (!done) co_return problem(request, done.error());
  co_return answered(201, to_json(done->payment), *done);
}

async::Task<Response> change_payment(RouteParts parts, Request& request, Operation operation) {
  if (!may(request, kWrite)) {
    std::string route = "POST /v1/payments/{id}/";
    route += operation == Operation::refund ? "refunds" : name(operation);
    co_return co_await deny(parts, request, std::move(route));
  }
  if (auto wrong = refuse_id(request.parameter(0), kNoSuchPayment)) {
    co_return problem(request, *wrong);
  }
  auto asked = asked_of(request);
  if (!asked) co_return problem(request, asked.error());
  const auto amount = parse_change_request(asked->body, operation != Operation::void_);
  if (!amount) co_return problem(request, amount.error());
  const Answer<Done> done = co_await parts.payments.change(
      std::move(asked->call), std::string(request.parameter(0)), operation, *amount);
  if (!done) co_return problem(request, done.error());
  if (operation == Operation::refund) co_return answered(201, refund_json(*done), *done);
  co_return answered(200, to_json(done->payment), *done);
}

async::Task<Response> capture(RouteParts parts, Request& request) {
  return change_payment(parts, request, Operation::capture);
}
async::Task<Response> void_payment(RouteParts parts, Request& request) {
  return change_payment(parts, request, Operation::void_);
}
async::Task<Response> refund(RouteParts parts, Request& request) {
  return change_payment(parts, request, Operation::refund);
}

async::Task<Response> show_payment(RouteParts parts, Request& request) {
  if (!may(request, kRead)) co_return co_await deny(parts, request, "GET /v1/payments/{id}");
  if (auto wrong = refuse_id(request.parameter(0), kNoSuchPayment)) {
    co_return problem(request, *wrong);
  }
  const Answer<PaymentRow> row = co_await parts.payments.payment(request.ticket()->merchant,
                                                                 std::string(request.parameter(0)));
  if (!row) co_return problem(request, row.error());
  co_return http::json_response(200, to_json(*row));
}

async::Task<Response> show_refund(RouteParts parts, Request& request) {
  if (!may(request, kRead)) {
    co_return co_await deny(parts, request, "GET /v1/payments/{id}/refunds/{refund}");
  }
  if (auto wrong = refuse_id(request.parameter(0), kNoSuchPayment)) {
    co_return problem(request, *wrong);
  }
  if (auto wrong = refuse_id(request.parameter(1), kNoSuchRefund, kRefundPrefix)) {
    co_return problem(request, *wrong);
  }
  const Answer<Done> done =
      co_await parts.payments.refund(request.ticket()->merchant, std::string(request.parameter(0)),
                                     std::string(request.parameter(1)));
  if (!done) co_return problem(request, done.error());
  co_return http::json_response(200, refund_json(*done));
}

async::Task<Response> list_payments(RouteParts parts, Request& request) {
  if (!may(request, kRead)) co_return co_await deny(parts, request, "GET /v1/payments");
  std::string after = request.query_parameter("after").value_or("");
  if (!after.empty()) {
    if (auto wrong = refuse_id(after, kNoSuchPage)) {
      co_return problem(request, *wrong);
    }
  }
  const auto limit = http::page_limit(request, kPageSizeMax);
  if (!limit) co_return problem(request, limit.error());
  const auto page = co_await parts.store.page(request.ticket()->merchant, after, *limit);
  if (!page) co_return problem(request, {ProblemType::database_unavailable, "try again", {}, 1});
  if (page->items.empty() && !after.empty()) {  // behind the last one, or behind none
    const Answer<PaymentRow> last =
        co_await parts.payments.payment(request.ticket()->merchant, std::move(after));
    if (!last) {
      const bool unknown = last.error().type == ProblemType::not_found;
      co_return problem(request, unknown ? kNoSuchPage : last.error());
    }
  }
  co_return http::json_response(200, to_json(*page));
}

async::Task<Response> list_accounts_of(RouteParts parts, Request& request, std::string merchant) {
  const auto accounts = co_await parts.accounts.of_merchant(std::move(merchant));
  if (!accounts) {
    co_return problem(request, {ProblemType::database_unavailable, "try again", {}, 1});
  }
  co_return http::json_response(200, to_json(*accounts));
}

async::Task<Response> list_own_accounts(RouteParts parts, Request& request) {
  if (!may(request, kRead)) co_return co_await deny(parts, request, "GET /v1/connector-accounts");
  co_return co_await list_accounts_of(parts, request, request.ticket()->merchant);
}

async::Task<Response> list_accounts(RouteParts parts, Request& request) {
  std::string merchant = request.query_parameter("merchant").value_or("");
  if (!is_public_id(merchant, kMerchantPrefix)) {
    co_return problem(request, {ProblemType::invalid_value,
                                "must name a merchant: ?merchant=mer_...", "?merchant"});
  }
  co_return co_await list_accounts_of(parts, request, std::move(merchant));
}

async::Task<Response> add_account(RouteParts parts, Request& request) {
  const auto body = parse_json_body(request.body());
  if (!body) co_return problem(request, body.error());
  auto account = parse_account_request(*body);
  if (!account) co_return problem(request, account.error());
  std::string user = http::operator_user(request);
  const Answer<Account> added = co_await parts.desk.add(*std::move(account), std::move(user),
                                                        std::string(request.request_id()));
  if (!added) co_return problem(request, added.error());
  co_return http::json_response(201, to_json(*added));
}

async::Task<bool> audit_denial(RouteParts parts, const Request& request) {
  const Response response = co_await deny(parts, request, std::string(to_string(request.method())));
  co_return response.status != 503;
}

}  // namespace

void add_service_routes(http::Router& router, RouteParts parts) {
  http::RouteTable routes(router, parts, {.identities = {kEdge}, .ticket = true});
  routes.add(Method::post, "/v1/payments", create_payment);
  routes.add(Method::get, "/v1/payments", list_payments);
  routes.add(Method::get, "/v1/payments/{id}", show_payment);
  routes.add(Method::post, "/v1/payments/{id}/capture", capture);
  routes.add(Method::post, "/v1/payments/{id}/void", void_payment);
  routes.add(Method::post, "/v1/payments/{id}/refunds", refund);
  routes.add(Method::get, "/v1/payments/{id}/refunds/{refund}", show_refund);
  routes.add(Method::get, "/v1/connector-accounts", list_own_accounts);
  router.on_denied(
      [parts](const Request& request, const Problem&) { return audit_denial(parts, request); });
}

void add_operator_routes(http::Router& router, RouteParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(Method::post, "/v1/connector-accounts", add_account);
  routes.add(Method::get, "/v1/connector-accounts", list_accounts);
}

}  // namespace strongroom::connected::gateway

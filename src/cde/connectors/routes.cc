// From HTTP to the service and back. No answer repeats what was sent.
#include "cde/connectors/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/card/secret_resource.h"
#include "http/operator_user.h"
#include "wire/body.h"

namespace strongroom::cde {
namespace {

using http::Request;
using http::Response;
using payments::Operation;
using wire::Problem;
using wire::ProblemType;

constexpr std::string_view kVault = "vaultd";
constexpr std::string_view kGateway = "gatewayd";
constexpr std::string_view kWrite = "payments:write";
constexpr std::chrono::seconds kSettleLateMax = std::chrono::hours(24);
constexpr std::chrono::seconds kLookUpLateMax = std::chrono::hours(24 * 30);

Response problem(const Request& request, const Problem& what) {
  return http::problem_response(what, request.request_id());
}

Response answer(const Request& request, const Reply<payments::PayAnswer>& reply) {
  if (!reply) return problem(request, reply.error());
  return http::json_response(200, to_json(*reply));
}

Principal principal_of(const Request& request, std::string_view operation, const Clock& clock) {
  Principal principal{.subject = request.peer().identity,
                      .merchant = {},
                      .source = std::string(request.header("strongroom-source")),
                      .operation = std::string(operation),
                      .request_id = std::string(request.request_id())};
  if (principal.source.empty()) principal.source = request.peer().source;
  if (const http::Ticket* ticket = request.ticket()) {
    principal.subject = ticket->subject;
    principal.merchant = ticket->merchant;
    principal.ticket_issued_at_s = ticket->issued_at_s;
    principal.ticket_has_ended = ticket->has_ended(clock.now_us());
  }
  return principal;
}

// Whether the ticket's owner may move money. A merchant, and the right.
bool may_pay(const Request& request) {
  const http::Ticket& ticket = *request.ticket();
  return !ticket.merchant.empty() &&
         std::ranges::find(ticket.scopes, kWrite) != ticket.scopes.end();
}

// The first thing wrong with a request before its body is looked at.
std::optional<Problem> refuse_head(const Request& request) {
  if (looks_like_pan(request.query()) || looks_like_pan(request.path())) {
    return Problem{ProblemType::looks_like_card_data, "an address must not hold a card number"};
  }
  const bool has_body = request.method() != http::Method::get;
  if (has_body && !request.is_json()) {
    return Problem{ProblemType::unsupported_media_type, "send application/json"};
  }
  return std::nullopt;
}

async::Task<Response> store_card(ConnectorService& service, Profile profile, const Clock& clock,
                                 Request& request) {
  Principal principal = principal_of(request, "POST /v1/stored-cards", clock);
  if (!may_pay(request)) {
    co_return problem(request, co_await service.deny(std::move(principal)));
  }
  if (auto what = refuse_head(request)) co_return problem(request, *what);
  auto parsed = parse_stored_card_request(request.body(), profile);
  if (!parsed) co_return problem(request, parsed.error());
  const auto stored = co_await service.store(*std::move(parsed), std::move(principal));
  if (!stored) co_return problem(request, stored.error());
  if (stored->processor_token.empty()) {
    co_return http::json_response(200, to_json(stored->refusal));
  }
  co_return http::json_response(
      201, fmt::format(R"({{"processor_token":"{}"}})", stored->processor_token));
}

struct RemoveRequest {
  std::string account;
  std::string processor_token;
};

async::Task<Response> remove_card(ConnectorService& service, const Clock& clock, Request& request) {
  Principal principal = principal_of(request, "DELETE /v1/stored-cards", clock);
  if (auto what = refuse_head(request)) co_return problem(request, *what);
  auto parsed = wire::parse_body(
      as_text(request.body()), [](wire::ObjectReader& reader) -> std::optional<RemoveRequest> {
        const auto account = reader.text("#/account", {1, wire::kSealedTextBytesMax});
        const auto token = reader.text("#/processor_token", {1, wire::kSealedTextBytesMax});
        return RemoveRequest{std::string(account), std::string(token)};
      });
  if (!parsed) co_return problem(request, parsed.error());
  const auto removed = co_await service.remove(
      std::move(parsed->account), std::move(parsed->processor_token), std::move(principal));
  if (!removed) co_return problem(request, removed.error());
  co_return Response{.status = 204};
}

async::Task<Response> charge(ConnectorService& service, const Clock& clock, Operation operation,
                             Request& request) {
  const bool is_sale = operation == Operation::sale;
  Principal principal =
      principal_of(request, is_sale ? "POST /v1/sales" : "POST /v1/authorizations", clock);
  if (!may_pay(request)) {
    co_return problem(request, co_await service.deny(std::move(principal)));
  }
  if (auto what = refuse_head(request)) co_return problem(request, *what);
  auto parsed = payments::parse_authorization_request(as_text(request.body()));
  if (!parsed) co_return problem(request, parsed.error());
  const auto reply = co_await service.charge(operation, *std::move(parsed), std::move(principal));
  co_return answer(request, reply);
}

async::Task<Response> change(ConnectorService& service, const Clock& clock, Operation operation,
                             Request& request) {
  std::string route = "POST /v1/transactions/{processor_reference}/";
  route += operation == Operation::refund ? "refunds" : payments::name(operation);
  Principal principal = principal_of(request, route, clock);
  if (!may_pay(request)) {
    co_return problem(request, co_await service.deny(std::move(principal)));
  }
  if (auto what = refuse_head(request)) co_return problem(request, *what);
  std::string reference(request.parameter(0));
  if (!payments::is_processor_reference(reference)) {
    co_return problem(request, {ProblemType::not_found, "no such transaction"});
  }
  auto parsed = payments::parse_transaction_request(operation, as_text(request.body()));
  if (!parsed) co_return problem(request, parsed.error());
  const auto reply = co_await service.change(operation, std::move(reference), *std::move(parsed),
                                             std::move(principal));
  co_return answer(request, reply);
}

// The query of a look-up; empty when a part of it is missing or not of its form.
std::optional<payments::LookUpRequest> look_up_of(const Request& request) {
  payments::LookUpRequest what{
      .account = request.query_parameter("account").value_or(""),
      .reference = request.query_parameter("reference").value_or(""),
      .processor_reference = request.query_parameter("processor_reference").value_or("")};
  const bool named = what.processor_reference.empty() ||
                     payments::is_processor_reference(what.processor_reference);
  if (!payments::is_reference(what.reference) || !named) return std::nullopt;
  return what;
}

async::Task<Response> look_up(ConnectorService& service, const Clock& clock, Request& request) {
  Principal principal = principal_of(request, "GET /v1/transactions", clock);
  if (request.ticket()->merchant.empty()) {
    co_return problem(request, co_await service.deny(std::move(principal)));
  }
  if (auto what = refuse_head(request)) co_return problem(request, *what);
  auto asked = look_up_of(request);
  if (!asked) {
    co_return problem(request, {ProblemType::invalid_value, "the query must name a reference"});
  }
  const auto found = co_await service.look_up(*std::move(asked), std::move(principal));
  if (!found) co_return problem(request, found.error());
  co_return http::json_response(200, to_json(*found));
}

struct EnterRequest {
  std::string merchant;
  std::string account_id;
  SecretBytes credential;
};

std::expected<EnterRequest, Problem> read_enter_request(const boost::json::object& body) {
  wire::ObjectReader reader(body);
  const auto merchant = reader.text("#/merchant", {1, kMerchantBytesMax});
  const auto account_id = reader.text_or_none("#/account_id", {1, wire::kAccountIdBytesMax});
  const auto credential = reader.text("#/credential", {1, kCredentialBytesMax});
  if (!wire::is_account_id(merchant)) {  // the same letters
    reader.refuse({ProblemType::invalid_value, "must be a merchant's id", "#/merchant"});
  }
  if (looks_like_pan(merchant) || (account_id && looks_like_pan(*account_id))) {
    reader.refuse({ProblemType::looks_like_card_data, "an id must not hold a card number"});
  }
  if (auto problem = reader.finish()) return std::unexpected(*problem);
  auto copy = SecretBytes::copy_of(as_bytes(credential));
  if (!copy) return std::unexpected(kCardMemoryFull);
  return EnterRequest{std::string(merchant), std::string(account_id.value_or("")),
                      *std::move(copy)};
}

// In the secret arena, as a card is: a credential moves money, too.
std::expected<EnterRequest, Problem> parse_enter_request(std::span<const std::byte> body) {
  auto memory = SecretResource::create(body.size() * 4 + 2048);
  if (!memory) return std::unexpected(kCardMemoryFull);
  try {
    SR_TRY(const auto value, wire::parse_strict(as_text(body), boost::json::storage_ptr(&*memory)));
    SR_TRY(const boost::json::object* object, wire::as_object(value));
    return read_enter_request(*object);
  } catch (const std::bad_alloc&) {
    return std::unexpected(kCardMemoryFull);
  }
}

async::Task<Response> enter_account(ConnectorService& service, std::string connector,
                                    Request& request) {
  auto parsed = parse_enter_request(request.body());
  if (!parsed) co_return problem(request, parsed.error());
  Principal principal{.subject = http::operator_user(request),
                      .merchant = {},
                      .source = {},
                      .operation = "POST /v1/connector-accounts",
                      .request_id = std::string(request.request_id())};
  const auto entered =
      co_await service.enter_account(std::move(parsed->merchant), std::move(parsed->account_id),
                                     std::move(parsed->credential), std::move(principal));
  if (!entered) co_return problem(request, entered.error());
  co_return http::json_response(
      201, fmt::format(R"({{"connector":"{}","account_id":"{}","merchant":"{}","account":"{}"}})",
                       connector, entered->account_id, entered->merchant, entered->account));
}

}  // namespace

void add_store_routes(http::Router& router, ConnectorService& service, Profile profile,
                      const Clock& clock) {
  router.add({.method = http::Method::post,
              .pattern = "/v1/stored-cards",
              .identities = {kVault},
              .ticket = true,
              .handler = [&service, profile, &clock](Request& request) {
                return store_card(service, profile, clock, request);
              }});
  router.add({.method = http::Method::delete_,
              .pattern = "/v1/stored-cards",
              .identities = {kVault},
              .handler = [&service, &clock](Request& request) {
                return remove_card(service, clock, request);
              }});
}

void add_pay_routes(http::Router& router, ConnectorService& service, const Clock& clock) {
  const auto add = [&](std::string_view pattern, http::Handler handler) {
    router.add({.method = http::Method::post,
                .pattern = pattern,
                .identities = {kGateway},
                .ticket = true,
                .ticket_late_max = kSettleLateMax,
                .handler = std::move(handler)});
  };
  for (const auto& [pattern, operation] : {std::pair("/v1/authorizations", Operation::authorize),
                                           std::pair("/v1/sales", Operation::sale)}) {
    add(pattern, [&service, &clock, operation](Request& request) {
      return charge(service, clock, operation, request);
    });
  }
  for (const auto& [pattern, operation] :
       {std::pair("/v1/transactions/{processor_reference}/capture", Operation::capture),
        std::pair("/v1/transactions/{processor_reference}/void", Operation::void_),
        std::pair("/v1/transactions/{processor_reference}/refunds", Operation::refund)}) {
    add(pattern, [&service, &clock, operation](Request& request) {
      return change(service, clock, operation, request);
    });
  }
  router.add({.method = http::Method::get,
              .pattern = "/v1/transactions",
              .identities = {kGateway},
              .ticket = true,
              .ticket_late_max = kLookUpLateMax,
              .handler = [&service, &clock](Request& request) {
                return look_up(service, clock, request);
              }});
}

void add_account_routes(http::Router& router, ConnectorService& service,
                        std::string_view connector) {
  router.add({.method = http::Method::post,
              .pattern = "/v1/connector-accounts",
              .identities = {http::kLocal},
              .handler = [&service, name = std::string(connector)](Request& request) {
                return enter_account(service, name, request);
              }});
}

}  // namespace strongroom::cde

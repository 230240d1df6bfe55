// What connectord's answers mean to the vault.
#include "cde/vault/stored_cards.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "cde/vault/vault_answers.h"
#include "wire/body.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {
namespace {

using http::ClientRequest;
using http::ClientResponse;
using wire::ProblemType;

constexpr wire::Problem kNoAnswer{
    ProblemType::service_unavailable, "the connector does not answer", {}, kRetryAfterS};
constexpr wire::Problem kNotItsAccount{ProblemType::invalid_value,
                                       "is no account of this connector", "#/account"};
constexpr wire::Problem kNotAllowed{ProblemType::not_allowed, "the account is not this merchant's"};

constexpr std::size_t kRefusalBytesMax = 4096;
constexpr std::size_t kOutcomeBytesMax = 16;

std::optional<std::string> stored_token(std::string_view body) {
  const auto read = [](wire::ObjectReader& reader) -> std::optional<std::string> {
    return std::string(reader.text("#/processor_token", {1, wire::kSealedTextBytesMax}));
  };
  auto token = wire::parse_body(body, read);
  if (!token) return std::nullopt;
  const auto head = wire::parse_sealed_text(*token);
  if (!head || head->kind != wire::SealedKind::processor_token) return std::nullopt;
  return *std::move(token);
}

std::optional<StoreRefusal> refusal_of(std::string_view body) {
  const auto read = [](wire::ObjectReader& reader) -> std::optional<std::string> {
    static_cast<void>(reader.object_or_none("#/decline"));
    static_cast<void>(reader.text_or_none("#/processor_reference", {0, 0}));
    return std::string(reader.text("#/outcome", {1, kOutcomeBytesMax}));
  };
  if (body.size() > kRefusalBytesMax) return std::nullopt;
  const auto outcome = wire::parse_body(body, read);
  if (!outcome) return std::nullopt;
  const bool unknown = *outcome == "unknown";
  if (!unknown && *outcome != "declined" && *outcome != "failed") return std::nullopt;
  return StoreRefusal{std::string(body), unknown};
}

ClientRequest request_of(http::Method method, std::span<const std::byte> body) {
  ClientRequest request{.method = method, .target = "/v1/stored-cards", .body = body};
  request.headers.emplace_back("Content-Type", "application/json");
  return request;
}

}  // namespace

async::Task<Answer<HandedOver>> HttpStoredCards::store(std::string connector, SecretBytes body,
                                                       std::string ticket, std::string request_id) {
  const auto client = clients_.find(connector);
  if (client == clients_.end()) co_return refuse(kNotItsAccount);
  ClientRequest request = request_of(http::Method::post, body.reveal());
  request.headers.emplace_back("Strongroom-Ticket", std::move(ticket));
  request.headers.emplace_back("Strongroom-Request-Id", std::move(request_id));
  const Result<ClientResponse> response = co_await client->second->send(request);
  if (!response) {
    log::warn("a connector does not answer",
              {{"connector", connector}, {"error", response.error()}});
    co_return refuse(kNoAnswer);
  }
  if (response->status == 201) {
    if (auto token = stored_token(response->body)) co_return HandedOver(*std::move(token));
  }
  if (response->status == 200) {
    if (auto refusal = refusal_of(response->body)) co_return HandedOver(*std::move(refusal));
  }
  if (response->status == 403) co_return refuse(kNotAllowed);
  if (response->status == 422) co_return refuse(kNotItsAccount);
  if (response->status != 503) {
    log::error("a connector's answer is not what api/connector.yaml says",
               {{"connector", connector}, {"status", response->status}});
  }
  co_return refuse(kNoAnswer);
}

async::Task<Result<void>> HttpStoredCards::remove(std::string connector, AtProcessor what) {
  const auto client = clients_.find(connector);
  if (client == clients_.end()) {
    co_return fail({ErrorCode::not_found, "no connector of this name is configured"});
  }
  const std::string body = fmt::format(R"({{"account":"{}","processor_token":"{}"}})", what.account,
                                       what.processor_token);
  const ClientRequest request = request_of(http::Method::delete_, as_bytes(body));
  const Result<ClientResponse> response = co_await client->second->send(request);
  if (!response) co_return fail(response.error());
  if (response->status == 204) co_return Result<void>{};
  co_return fail(Error{ErrorCode::unavailable, "the connector did not remove a card"}.with_detail(
      static_cast<std::uint32_t>(response->status)));
}

void HttpStoredCards::set_tls(const std::shared_ptr<const http::TlsContext>& tls) {
  for (const auto& [name, client] : clients_) client->set_tls(tls);
}

async::Task<void> HttpStoredCards::close() {
  for (const auto& [name, client] : clients_) co_await client->close();
}

}  // namespace strongroom::cde

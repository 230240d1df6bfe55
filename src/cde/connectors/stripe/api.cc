// Headers, and patience with a busy Stripe.
#include "cde/connectors/stripe/api.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"
#include "crypto/hash.h"

namespace strongroom::cde::stripe {
namespace {

using namespace std::chrono_literals;

constexpr std::array kPauses{500ms, 1000ms};

// Rate limits, contention on one object, a key that is in use by a request still under way.
bool is_busy(const http::ClientResponse& response) noexcept {
  return (response.status == 429 || response.status == 409) &&
         response.header("stripe-should-retry") != "false";
}

http::ClientRequest request_of(const Account& account, const Call& call,
                               std::span<const std::byte> body) {
  http::ClientRequest request{.method = call.method, .target = call.target, .body = body};
  request.headers.emplace_back("Authorization",
                               fmt::format("Bearer {}", as_text(account.credential.reveal())));
  request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("Stripe-Version", kApiVersion);
  if (call.form != nullptr) {
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  }
  if (!call.idempotency_key.empty()) {
    request.headers.emplace_back("Idempotency-Key", call.idempotency_key);
  }
  return request;
}

}  // namespace

std::string key_of(const Account& account, std::string_view key, std::string_view step) {
  crypto::Context context("strongroom/stripe-key/1");
  context.add(account.merchant).add(account.id).add(key).add(step);
  return "sr_" + hex(crypto::sha256(context.bytes()));
}

async::Task<Result<http::ClientResponse>> Api::send(const Account& account, const Call& call) {
  std::span<const std::byte> body;
  if (call.form != nullptr) {
    SR_CO_TRY(body, call.form->bytes());
  }
  const http::ClientRequest request = request_of(account, call, body);
  for (const std::chrono::milliseconds pause : kPauses) {
    Result<http::ClientResponse> response = co_await client_.send(request);
    if (!response || !is_busy(*response)) co_return response;
    co_await loop_.sleep_for(pause);
  }
  co_return co_await client_.send(request);
}

}  // namespace strongroom::cde::stripe

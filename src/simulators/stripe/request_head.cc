// Authorization, Stripe-Version, Idempotency-Key, Content-Type.
#include "simulators/stripe/request_head.h"

#include "base/encoding.h"
#include "crypto/hash.h"
#include "simulators/stripe/idempotency.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::string_view kKeyPrefix = "sk_test_";
constexpr std::size_t kApiKeyBytesMax = 255;
constexpr std::size_t kAccountCharacters = 16;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kWord =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

std::string key_of(std::string_view authorization) {
  if (authorization.starts_with("Bearer ")) return std::string(authorization.substr(7));
  if (!authorization.starts_with("Basic ")) return {};
  const auto bytes = parse_base64(authorization.substr(6));
  if (!bytes) return {};
  const std::string_view pair = as_text(*bytes);
  return pair.ends_with(':') ? std::string(pair.substr(0, pair.size() - 1)) : std::string();
}

bool is_test_key(std::string_view key) noexcept {
  return key.starts_with(kKeyPrefix) && key.size() > kKeyPrefix.size() &&
         key.size() <= kApiKeyBytesMax && key.find_first_not_of(kWord) == std::string_view::npos;
}

// 2026-07-29, or with the name that newer ones have: 2026-07-29.dahlia.
bool is_version(std::string_view text) noexcept {
  if (text.size() < 10) return false;
  for (std::size_t i = 0; i < 10; ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? text[i] != '-' : kDigits.find(text[i]) == std::string_view::npos) return false;
  }
  const std::string_view name = text.substr(10);
  return name.empty() || (name.starts_with('.') && name.size() > 1 &&
                          name.substr(1).find_first_not_of(kWord) == std::string_view::npos);
}

}  // namespace

std::expected<std::string, ApiError> account_of(std::string_view authorization) {
  const std::string key = key_of(authorization);
  if (!is_test_key(key)) return std::unexpected(wrong_key(authorization.empty()));
  return "acct_" + hex(crypto::sha256(as_bytes(key))).substr(0, kAccountCharacters);
}

std::string_view version_of(const http::Request& request) noexcept {
  const std::string_view given = request.header("stripe-version");
  return given.empty() ? kDefaultVersion : given;
}

std::optional<ApiError> check_head(const http::Request& request) {
  if (!is_version(version_of(request))) return invalid_request("Invalid Stripe API version");
  if (request.header("idempotency-key").size() > IdempotencyKeys::kKeyBytesMax) {
    return invalid_request("Idempotency keys must be at most 255 characters.");
  }
  if (!request.body().empty() && !request.header("content-type").starts_with(kForm)) {
    return invalid_request(
        "Invalid request (check that your POST content type is "
        "application/x-www-form-urlencoded).");
  }
  return std::nullopt;
}

}  // namespace strongroom::simulators::stripe

// Making and reading ids.
#include "connected/gateway/ids.h"

#include <algorithm>
#include <span>

#include "base/encoding.h"
#include "crypto/context.h"
#include "crypto/hash.h"

namespace strongroom::connected::gateway {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kIdTextSize = 26;  // base32 of them

}  // namespace

std::string payment_id(std::string_view merchant, std::string_view idempotency_key) {
  crypto::Context context("strongroom/payment/1");
  const crypto::Sha256Digest digest =
      crypto::sha256(context.add(merchant).add(idempotency_key).bytes());
  return std::string(kPaymentPrefix) + base32(std::span(digest).first(kIdBytes));
}

std::string new_attempt_id(std::string_view prefix, crypto::Random& random, const Clock& clock) {
  const auto id = crypto::new_operation_id(random, clock);
  return std::string(prefix) + base32(id.bytes);
}

bool is_public_id(std::string_view text, std::string_view prefix) noexcept {
  return text.size() == prefix.size() + kIdTextSize && text.starts_with(prefix) &&
         std::ranges::all_of(text.substr(prefix.size()), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
         });
}

}  // namespace strongroom::connected::gateway

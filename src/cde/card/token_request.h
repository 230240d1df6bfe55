// TokenRequest: the body of POST /v1/tokens and POST /v1/cards, parsed once into types that cannot
// be wrong. It is read in place in the secret arena; a problem never repeats what was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "base/config.h"
#include "base/secret.h"
#include "cde/card/cvc.h"
#include "cde/card/expiry.h"
#include "cde/card/pan.h"
#include "wire/problem.h"

namespace strongroom::cde {

inline constexpr std::size_t kMetadataMembersMax = 20;
inline constexpr std::size_t kMetadataKeyBytesMax = 40;
inline constexpr std::size_t kMetadataValueBytesMax = 500;
inline constexpr std::int64_t kUsageLimitMax = 1'000'000'000;

struct TokenRequest {
  Pan pan;
  ExpiryDate expiry;
  std::optional<Cvc> cvc;
  SecretBytes name;      // cardholder name, UTF-8; empty when absent
  SecretBytes metadata;  // JSON object of texts, as it will be given back; empty when absent
  std::optional<std::int64_t> expires_at_us;  // whole milliseconds
  std::optional<std::int64_t> usage_limit;
};

// Which cards a deployment takes, and the time that decides on expiry.
struct CardPolicy {
  Profile profile;  // demo: test ranges only; production: no documented test card
  std::int64_t now_us;
};

// The request in `body`. Problems of design section 6: malformed_json, duplicate_key,
// unknown_field, wrong_type, missing_field, invalid_value, card_number_length,
// card_number_check_digit, card_expired, looks_like_card_data (in name or metadata), overloaded
// (the secret arena is full).
[[nodiscard]] std::expected<TokenRequest, wire::Problem> parse_token_request(
    std::span<const std::byte> body, const CardPolicy& policy);

}  // namespace strongroom::cde

// StoredCardRequest: the body of POST /v1/stored-cards, by which vaultd hands a card to connectord,
// both ways. It is written and read in place in the secret arena; a problem never repeats what was
// sent.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "base/secret.h"
#include "cde/card/card_fields.h"
#include "wire/problem.h"

namespace strongroom::cde {

inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;

struct StoredCardRequest {
  std::string account;          // the sealed blob as text, not opened yet
  std::string idempotency_key;  // printable ASCII
  CardFields card;              // an expired one, too: its processor decides
};

// The request in `body`. Problems: malformed_json, duplicate_key, looks_like_card_data (in the
// idempotency key), invalid_value, and those of read_card_fields.
[[nodiscard]] std::expected<StoredCardRequest, wire::Problem> parse_stored_card_request(
    std::span<const std::byte> body, Profile profile);

// What to hand over. `name` is UTF-8, empty when there is none; `cvc` may be null.
struct CardToStore {
  std::string_view account;          // base64url
  std::string_view idempotency_key;  // printable ASCII without quotes and backslashes
  const Pan& pan;
  ExpiryDate expiry;
  const Cvc* cvc = nullptr;
  std::span<const std::byte> name{};
};
// The JSON of it, as parse_stored_card_request reads it. exhausted.
[[nodiscard]] Result<SecretBytes> stored_card_request_json(const CardToStore& card);

}  // namespace strongroom::cde

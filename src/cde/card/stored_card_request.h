// StoredCardRequest: the body of POST /v1/stored-cards, by which vaultd hands a card to connectord.
// It is read in place in the secret arena; a problem never repeats what was sent.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>

#include "base/config.h"
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

}  // namespace strongroom::cde

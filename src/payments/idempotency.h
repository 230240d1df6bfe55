// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-06): the key's syntax, what makes two
// requests the same, and what to do with one whose key is known. Pure: the digest is the caller's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "wire/problem.h"

namespace boost::json {
class value;  // whoever keeps a fingerprint need not see JSON
}

namespace strongroom::payments {

inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;

// The key in the header field's value: a Structured Fields String (RFC 8941 section 3.3.3,
// "8e03978e-..." in quotes), or the same characters bare, as most live APIs send it: 1 to
// kIdempotencyKeyBytesMax printable ASCII characters; bare without blanks, quotes and backslashes.
// Both forms of a text are one key. Problems: idempotency_key_missing, invalid_value,
// looks_like_card_data.
[[nodiscard]] std::expected<std::string, wire::Problem> parse_idempotency_key(
    std::string_view field);

// What the request's fingerprint is the SHA-256 of: method, route (the path with its ids) and the
// body in canonical form, each length-prefixed (u32be). Canonical: members sorted by name, no
// blanks, so that a client may write the same JSON in another way.
[[nodiscard]] std::string fingerprint_text(std::string_view method, std::string_view route,
                                           const boost::json::value& body);

using RequestFingerprint = std::array<std::byte, 32>;

// What is known of a key of this merchant.
struct IdempotencyRecord {
  RequestFingerprint fingerprint{};
  bool running = false;  // the first request has not been answered
};

// first: no record, go on and make one. replay: give the stored answer again, marked
// Idempotent-Replayed. mismatch: 422 idempotency_mismatch. in_progress: 409.
enum class IdempotencyDecision : std::uint8_t { first, replay, mismatch, in_progress };
[[nodiscard]] IdempotencyDecision decide(const std::optional<IdempotencyRecord>& known,
                                         const RequestFingerprint& fingerprint) noexcept;

}  // namespace strongroom::payments

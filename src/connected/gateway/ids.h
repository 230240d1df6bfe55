// Public ids of the gateway: a prefix and 128 bits in lower-case base32.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/random.h"

namespace strongroom::connected::gateway {

inline constexpr std::string_view kPaymentPrefix = "pay_";
inline constexpr std::string_view kAttemptPrefix = "att_";
inline constexpr std::string_view kRefundPrefix = "re_";

// The id of the payment that this merchant's key makes: the same key never names two, so that the
// vault counts one use however often the request is sent.
[[nodiscard]] std::string payment_id(std::string_view merchant, std::string_view idempotency_key);
// A new id of an attempt; UUID v7 inside, which keeps index inserts local.
[[nodiscard]] std::string new_attempt_id(std::string_view prefix, crypto::Random& random,
                                         const Clock& clock);
// True when `text` has the form that the above give for `prefix`.
[[nodiscard]] bool is_public_id(std::string_view text, std::string_view prefix) noexcept;

}  // namespace strongroom::connected::gateway

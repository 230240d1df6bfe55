// Decline: why a payment was not approved, in one vocabulary over all processors
// (docs/connectors.md has the table of each). Merchants decide by the class; the code is the
// processor's own word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::payments {

// DeclineClass says what the merchant can do about a decline.
enum class DeclineClass : std::uint8_t {
  soft,                   // not now (funds, limits, issuer absent): later it may go through
  hard,                   // never: do not try this card again
  verification_mismatch,  // address or card verification code do not match
  duplicate,              // the processor takes it for a repetition
  invalid_card,           // number or expiry are not a card's
  authentication_needed,  // the cardholder must take part (3-D Secure, PIN)
  rate_limited,           // too many requests at the processor
  configuration,          // the merchant's account at the processor does not allow it
  processor_error,        // the processor failed and says that nothing happened
};

[[nodiscard]] std::string_view name(DeclineClass decline_class) noexcept;  // "soft"
[[nodiscard]] std::optional<DeclineClass> parse_decline_class(std::string_view text) noexcept;

inline constexpr std::size_t kDeclineCodeBytesMax = 64;

// A processor's code is 1 to kDeclineCodeBytesMax of [A-Za-z0-9_.-] and no card number.
[[nodiscard]] bool is_decline_code(std::string_view code) noexcept;

// The one code that is our own word: the processor has no such stored card (any more).
inline constexpr std::string_view kProcessorTokenUnknown = "processor_token_unknown";

struct Decline {
  DeclineClass decline_class = DeclineClass::processor_error;
  std::string code;  // is_decline_code: "insufficient_funds"
  bool operator==(const Decline&) const = default;
};

}  // namespace strongroom::payments

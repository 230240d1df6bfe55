// The small values of the API: integers as text, currencies, random ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"

namespace strongroom::simulators::stripe {

// A decimal integer of 64 bits with an optional minus sign; empty when `text` is anything else.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

// Currency is what the API knows of one: amounts are in its minor unit.
struct Currency {
  std::string_view code;        // lower-case ISO 4217
  int exponent = 2;             // decimal places of the major unit
  std::int64_t amount_min = 1;  // smallest charge
};
// Null for a code that is not lower-case or that the API does not take.
[[nodiscard]] const Currency* find_currency(std::string_view code) noexcept;

// `prefix` and 24 random letters and digits: "pi_3Pg...".
[[nodiscard]] std::string new_object_id(crypto::Random& random, std::string_view prefix);
[[nodiscard]] std::string random_text(crypto::Random& random, std::size_t size);

}  // namespace strongroom::simulators::stripe

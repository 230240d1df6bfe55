// CardFields: the member "card" of every request that carries one, parsed once into types that
// cannot be wrong. It is read in place in the secret arena; a problem never repeats what was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/config.h"
#include "base/secret.h"
#include "cde/card/cvc.h"
#include "cde/card/expiry.h"
#include "cde/card/pan.h"
#include "wire/problem.h"

namespace boost::json {
class object;  // whoever hands a card on need not see JSON
}

namespace strongroom::cde {

inline constexpr std::size_t kNameBytesMax = 128;

struct CardFields {
  Pan pan;
  ExpiryDate expiry;
  std::optional<Cvc> cvc;
  SecretBytes name;  // cardholder name, UTF-8; empty when absent
};

// No secret memory is left for another card.
inline constexpr wire::Problem kCardMemoryFull{
    wire::ProblemType::overloaded, "no memory for another card right now", {}, 1};

// The fields of `card`, whose pointers are "#/card/...". `profile` says which numbers are taken
// (demo: test ranges only; production: no documented test card); the time decides on expiry,
// without one whoever gets the card does. Problems: unknown_field, wrong_type,
// missing_field, invalid_value, card_number_length, card_number_check_digit, card_expired,
// looks_like_card_data (in the name), overloaded (the secret arena is full).
[[nodiscard]] std::expected<CardFields, wire::Problem> read_card_fields(
    const boost::json::object& card, Profile profile, std::optional<std::int64_t> now_us);

}  // namespace strongroom::cde

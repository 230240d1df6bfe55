// CardSequence: test cards without end and without repeats, made with a few multiplications, so
// that making them costs nothing beside tokenizing them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strongroom::bench {

// Numbers in one sequence; card kCardsMax + n is card n again.
inline constexpr std::uint64_t kCardsMax = 1'000'000'000;

// The `index`th PAN of the sequence: 16 digits, BIN 424242 (a documented test range), nine digits
// that are a permutation of the index (neighbors in the sequence are far apart in every index of a
// database) and the check digit of ISO/IEC 7812-1.
[[nodiscard]] std::string test_pan(std::uint64_t index);

// The body of a token request for the `index`th card.
[[nodiscard]] std::string token_request_body(std::uint64_t index);

// ISO/IEC 7812-1 annex B: the digit that makes `digits` followed by it valid.
[[nodiscard]] char check_digit(std::string_view digits) noexcept;

}  // namespace strongroom::bench

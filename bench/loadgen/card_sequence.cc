// The permutation n -> (n * kStep + kShift) mod 10^9 has no repeats because kStep has no factor in
// common with 10.
#include "loadgen/card_sequence.h"

#include <fmt/core.h>

namespace strongroom::bench {
namespace {

constexpr std::uint64_t kStep = 618'033'989;  // near the golden section of 10^9: spreads evenly
constexpr std::uint64_t kShift = 271'828'183;

}  // namespace

char check_digit(std::string_view digits) noexcept {
  unsigned sum = 0;
  bool doubled = true;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const auto value = static_cast<unsigned>(*digit - '0');
    sum += doubled ? value * 2 - (value > 4 ? 9 : 0) : value;
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

std::string test_pan(std::uint64_t index) {
  const std::uint64_t spread = (index % kCardsMax * kStep + kShift) % kCardsMax;
  std::string pan = fmt::format("424242{:09}", spread);
  pan.push_back(check_digit(pan));
  return pan;
}

std::string token_request_body(std::uint64_t index) {
  return fmt::format(
      R"({{"card":{{"number":"{}","exp_month":12,"exp_year":2040,"name":"Load Test"}}}})",
      test_pan(index));
}

}  // namespace strongroom::bench

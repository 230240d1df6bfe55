// Money: an amount in minor units and its currency. Never floating point.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace strongroom::payments {

// Currency is an active code of ISO 4217:2015, List One, that has minor units (the codes of metals,
// baskets and tests have none and are no money here).
class Currency {
 public:
  // "USD": three capital letters. invalid_argument: not in the list.
  [[nodiscard]] static Result<Currency> parse(std::string_view code) noexcept;

  // Valid while *this lives.
  [[nodiscard]] std::string_view code() const& noexcept { return {code_.data(), code_.size()}; }
  std::string_view code() && = delete;
  // How many decimal digits the minor unit stands for: 2 for USD, 0 for JPY, 3 for KWD.
  [[nodiscard]] int exponent() const noexcept { return exponent_; }

  bool operator==(const Currency&) const = default;

 private:
  Currency(std::string_view code, int exponent) noexcept
      : code_{code[0], code[1], code[2]}, exponent_(static_cast<std::int8_t>(exponent)) {}
  std::array<char, 3> code_;
  std::int8_t exponent_;
};

struct Money {
  std::int64_t minor = 0;
  Currency currency;
  bool operator==(const Money&) const = default;
};

}  // namespace strongroom::payments

// Stripe's deviations from ISO 4217.
#include "cde/connectors/stripe/amount.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace strongroom::cde::stripe {
namespace {

constexpr Error kNoForm{ErrorCode::invalid_argument, "Stripe takes no such amount of the currency"};

// Without a fraction in trade, with two decimals in the API, both 0.
constexpr std::array<std::string_view, 2> kWithTwoZeros{"ISK", "UGX"};
// Two decimals in ISO 4217, none at Stripe.
constexpr std::string_view kWithoutDecimals = "MGA";
// Three decimals, the last one 0.
constexpr std::array<std::string_view, 5> kThreeDecimals{"BHD", "JOD", "KWD", "OMR", "TND"};

bool is_among(auto const& list, std::string_view code) noexcept {
  return std::ranges::find(list, code) != list.end();
}

bool is_known(const payments::Currency& currency) noexcept {
  return currency.exponent() <= 2 || is_among(kThreeDecimals, currency.code());
}

}  // namespace

Result<std::int64_t> to_stripe(const payments::Money& money) noexcept {
  const std::string_view code = money.currency.code();
  if (!is_known(money.currency)) return fail(kNoForm);
  if (is_among(kWithTwoZeros, code)) {
    if (money.minor > std::numeric_limits<std::int64_t>::max() / 100) return fail(kNoForm);
    return money.minor * 100;
  }
  if (code == kWithoutDecimals) {
    if (money.minor % 100 != 0) return fail(kNoForm);
    return money.minor / 100;
  }
  if (money.currency.exponent() == 3 && money.minor % 10 != 0) return fail(kNoForm);
  return money.minor;
}

std::optional<std::int64_t> from_stripe(std::int64_t amount,
                                        const payments::Currency& currency) noexcept {
  const std::string_view code = currency.code();
  if (amount < 0 || !is_known(currency)) return std::nullopt;
  if (is_among(kWithTwoZeros, code)) {
    if (amount % 100 != 0) return std::nullopt;
    return amount / 100;
  }
  if (code == kWithoutDecimals) {
    if (amount > std::numeric_limits<std::int64_t>::max() / 100) return std::nullopt;
    return amount * 100;
  }
  return amount;
}

std::string currency_text(const payments::Currency& currency) {
  std::string text(currency.code());
  for (char& c : text) c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace strongroom::cde::stripe

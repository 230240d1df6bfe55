// Tables and texts.
#include "simulators/stripe/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace strongroom::simulators::stripe {
namespace {

// Stripe's presentment currencies. The smallest amounts are known for a few only; elsewhere it
// is 1.
constexpr std::array kCurrencies{
    Currency{.code = "aed"},
    Currency{.code = "ars"},
    Currency{.code = "aud", .amount_min = 50},
    Currency{.code = "bgn"},
    Currency{.code = "bhd", .exponent = 3},
    Currency{.code = "bif", .exponent = 0},
    Currency{.code = "brl"},
    Currency{.code = "cad", .amount_min = 50},
    Currency{.code = "chf", .amount_min = 50},
    Currency{.code = "clp", .exponent = 0},
    Currency{.code = "cny"},
    Currency{.code = "cop"},
    Currency{.code = "czk"},
    Currency{.code = "djf", .exponent = 0},
    Currency{.code = "dkk"},
    Currency{.code = "egp"},
    Currency{.code = "eur", .amount_min = 50},
    Currency{.code = "gbp", .amount_min = 30},
    Currency{.code = "gnf", .exponent = 0},
    Currency{.code = "hkd"},
    Currency{.code = "huf"},
    Currency{.code = "idr"},
    Currency{.code = "ils"},
    Currency{.code = "inr"},
    Currency{.code = "isk"},
    Currency{.code = "jod", .exponent = 3},
    Currency{.code = "jpy", .exponent = 0, .amount_min = 50},
    Currency{.code = "kmf", .exponent = 0},
    Currency{.code = "krw", .exponent = 0},
    Currency{.code = "kwd", .exponent = 3},
    Currency{.code = "mga", .exponent = 0},
    Currency{.code = "mxn"},
    Currency{.code = "myr"},
    Currency{.code = "ngn"},
    Currency{.code = "nok"},
    Currency{.code = "nzd", .amount_min = 50},
    Currency{.code = "omr", .exponent = 3},
    Currency{.code = "pen"},
    Currency{.code = "php"},
    Currency{.code = "pln"},
    Currency{.code = "pyg", .exponent = 0},
    Currency{.code = "qar"},
    Currency{.code = "ron"},
    Currency{.code = "rwf", .exponent = 0},
    Currency{.code = "sar"},
    Currency{.code = "sek"},
    Currency{.code = "sgd", .amount_min = 50},
    Currency{.code = "thb"},
    Currency{.code = "tnd", .exponent = 3},
    Currency{.code = "try"},
    Currency{.code = "twd"},
    Currency{.code = "uah"},
    Currency{.code = "ugx"},
    Currency{.code = "usd", .amount_min = 50},
    Currency{.code = "uyu"},
    Currency{.code = "vnd", .exponent = 0},
    Currency{.code = "vuv", .exponent = 0},
    Currency{.code = "xaf", .exponent = 0},
    Currency{.code = "xof", .exponent = 0},
    Currency{.code = "xpf", .exponent = 0},
    Currency{.code = "zar"},
};
static_assert(std::ranges::is_sorted(kCurrencies, {}, &Currency::code));

constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kIdCharacters = 24;

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.begin(), text.end(), value);
  if (text.empty() || error != std::errc{} || rest != text.end()) return std::nullopt;
  return value;
}

const Currency* find_currency(std::string_view code) noexcept {
  const auto found = std::ranges::lower_bound(kCurrencies, code, {}, &Currency::code);
  return found != kCurrencies.end() && found->code == code ? &*found : nullptr;
}

std::string random_text(crypto::Random& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  random.fill(bytes);
  std::string text;
  text.reserve(size);
  for (const std::byte byte : bytes) {
    text.push_back(kAlphabet[std::to_integer<std::size_t>(byte) % kAlphabet.size()]);
  }
  return text;
}

std::string new_object_id(crypto::Random& random, std::string_view prefix) {
  return std::string(prefix) + random_text(random, kIdCharacters);
}

}  // namespace strongroom::simulators::stripe

// Parsing and classifying PANs. Digits are never copied out of the arena here but for bin and
// last4.
#include "cde/card/pan.h"

#include <algorithm>
#include <array>

#include "base/try.h"

namespace strongroom::cde {
namespace {

// ISO/IEC 7812-1 annex B (the Luhn formula): from the right, every second digit counts double.
bool check_digit_holds(std::string_view digits) noexcept {
  unsigned sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const auto digit = static_cast<unsigned>(digits[i] - '0');
    const unsigned value = twice ? digit * 2 : digit;
    sum += value / 10 + value % 10;
  }
  return sum % 10 == 0;
}

unsigned prefix(std::string_view digits, std::size_t count) noexcept {
  unsigned value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value * 10 + static_cast<unsigned>(digits[i] - '0');
  return value;
}

constexpr std::size_t kBinDigitsMax = 6;
constexpr std::size_t kHiddenDigitsMin = 6;
constexpr std::size_t kLast4Digits = 4;

// First six digits from `low` to `high` belong to `brand`. First match wins; the networks'
// published ranges, narrow ones before the wide ones that contain them.
struct BrandRange {
  unsigned low;
  unsigned high;
  Brand brand;
};
constexpr std::array kBrandRanges{
    BrandRange{622126, 622925, Brand::discover},
    BrandRange{601100, 601199, Brand::discover},
    BrandRange{644000, 649999, Brand::discover},
    BrandRange{650000, 659999, Brand::discover},
    BrandRange{620000, 629999, Brand::unionpay},
    BrandRange{810000, 819999, Brand::unionpay},
    BrandRange{340000, 349999, Brand::american_express},
    BrandRange{370000, 379999, Brand::american_express},
    BrandRange{300000, 305999, Brand::diners_club},
    BrandRange{309500, 309599, Brand::diners_club},
    BrandRange{360000, 369999, Brand::diners_club},
    BrandRange{380000, 399999, Brand::diners_club},
    BrandRange{352800, 358999, Brand::jcb},
    BrandRange{222100, 272099, Brand::mastercard},
    BrandRange{510000, 559999, Brand::mastercard},
    BrandRange{500000, 509999, Brand::maestro},
    BrandRange{560000, 699999, Brand::maestro},
    BrandRange{400000, 499999, Brand::visa},
};

// First six digits of the numbers below: what the demo profile takes.
constexpr std::array kTestBins{
    222300U, 222323U, 222324U, 222400U, 300000U, 303123U, 305693U, 311111U, 341111U, 343434U,
    353011U, 356600U, 362272U, 370000U, 371449U, 378282U, 378734U, 385200U, 400000U, 400001U,
    400002U, 400003U, 400004U, 400005U, 400006U, 400008U, 400012U, 400025U, 400027U, 400038U,
    400055U, 400076U, 400084U, 400551U, 400900U, 401200U, 401288U, 405512U, 410000U, 411111U,
    424242U, 431111U, 444433U, 450875U, 461000U, 471722U, 491761U, 510510U, 520082U, 520424U,
    542418U, 543111U, 545454U, 546616U, 555555U, 555566U, 600000U, 601100U, 601111U, 601160U,
    620000U, 622126U, 630495U, 650000U, 655590U, 676770U,
};
static_assert(std::ranges::is_sorted(kTestBins));

// The test cards that Stripe, NMI, FluidPay and TSYS document for their sandboxes.
constexpr std::array<std::uint64_t, 37> kTestNumbers{
    30569309025904,   36227206271667,   341111111111111,  371449635398431,  378282246310005,
    2223003122003222, 3566002020360505, 4000000000000002, 4000000000000036, 4000000000000069,
    4000000000000101, 4000000000000119, 4000000000000127, 4000000000000259, 4000000000001976,
    4000000000002685, 4000000000003055, 4000000000003220, 4000000000004954, 4000000000005126,
    4000000000005423, 4000000000006975, 4000000000007726, 4000000000009979, 4000000000009987,
    4000000000009995, 4000056655665556, 4005519200000004, 4111111111111111, 4242424242424242,
    5105105105105100, 5200828282828210, 5431111111111111, 5555555555554444, 6011000993026909,
    6011111111111117, 6011601160116611,
};
static_assert(std::ranges::is_sorted(kTestNumbers));

std::uint64_t as_number(std::string_view digits) noexcept {
  std::uint64_t value = 0;  // 19 digits fit
  for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return value;
}

}  // namespace

std::string_view to_string(Brand brand) noexcept {
  switch (brand) {
    case Brand::visa:
      return "visa";
    case Brand::mastercard:
      return "mastercard";
    case Brand::american_express:
      return "american_express";
    case Brand::discover:
      return "discover";
    case Brand::diners_club:
      return "diners_club";
    case Brand::jcb:
      return "jcb";
    case Brand::unionpay:
      return "unionpay";
    case Brand::maestro:
      return "maestro";
    case Brand::unknown:
      return "unknown";
  }
  SR_CHECK(false);
}

std::expected<Pan, PanFault> Pan::parse(std::string_view digits) {
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::unexpected(PanFault::not_digits);
  }
  if (digits.size() < kDigitsMin || digits.size() > kDigitsMax) {
    return std::unexpected(PanFault::length);
  }
  if (!check_digit_holds(digits)) return std::unexpected(PanFault::check_digit);
  auto copy = SecretBytes::copy_of(as_bytes(digits));
  if (!copy) return std::unexpected(PanFault::no_memory);
  return Pan(*std::move(copy));
}

Brand Pan::brand() const noexcept {
  const unsigned first_six = prefix(reveal(PanReveal::grant()), 6);
  const auto range = std::ranges::find_if(kBrandRanges, [&](const BrandRange& candidate) {
    return candidate.low <= first_six && first_six <= candidate.high;
  });
  return range == kBrandRanges.end() ? Brand::unknown : range->brand;
}

std::string Pan::bin() const {
  const std::string_view digits = reveal(PanReveal::grant());
  return std::string(
      digits.substr(0, std::min(kBinDigitsMax, digits.size() - kHiddenDigitsMin - kLast4Digits)));
}

std::string Pan::last4() const {
  const std::string_view digits = reveal(PanReveal::grant());
  return std::string(digits.substr(digits.size() - kLast4Digits));
}

bool Pan::is_same_number(const Pan& other) const noexcept {
  return equal_constant_time(digits_.reveal(), other.digits_.reveal());
}

bool Pan::is_in_test_range() const noexcept {
  return std::ranges::binary_search(kTestBins, prefix(reveal(PanReveal::grant()), 6));
}

bool Pan::is_documented_test_number() const noexcept {
  return std::ranges::binary_search(kTestNumbers, as_number(reveal(PanReveal::grant())));
}

}  // namespace strongroom::cde

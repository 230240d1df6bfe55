// Checks in the order in which Stripe makes them, then the fingerprint.
#include "simulators/stripe/card.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

#include "base/encoding.h"
#include "crypto/mac.h"
#include "simulators/stripe/test_cards.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::size_t kNumberDigitsMin = 12;
constexpr std::size_t kNumberDigitsMax = 19;
constexpr std::size_t kFingerprintCharacters = 16;
constexpr int kYearsAheadMax = 50;

bool is_digits(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

// ISO/IEC 7812-1 annex B.
bool check_digit_holds(std::string_view digits) noexcept {
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int value = (digits[i] - '0') * (twice ? 2 : 1);
    sum += value / 10 + value % 10;
  }
  return sum % 10 == 0;
}

ApiError missing(std::string_view name) {
  return invalid_request("Missing required param: " + std::string(name) + ".", name,
                         "parameter_missing");
}

std::optional<ApiError> check_number(std::string_view number) {
  if (number.size() < kNumberDigitsMin || number.size() > kNumberDigitsMax || !is_digits(number)) {
    return wrong_card("invalid_number", "number");
  }
  if (!check_digit_holds(number)) return wrong_card("incorrect_number", "number");
  if (find_test_range(number) == nullptr) {
    ApiError error = wrong_card("test_mode_live_card", "number");
    error.code = "card_declined";
    error.decline_code = "test_mode_live_card";
    return error;
  }
  return std::nullopt;
}

std::chrono::year_month_day date_of(std::int64_t unix_s) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(unix_s)));
}

// The last day of the printed month counts.
std::optional<ApiError> check_expiry(std::int64_t month, std::int64_t year, std::int64_t now_s) {
  const std::chrono::year_month_day today = date_of(now_s);
  const int this_year = static_cast<int>(today.year());
  const auto this_month = static_cast<unsigned>(today.month());
  if (month < 1 || month > 12) return wrong_card("invalid_expiry_month", "exp_month");
  if (year < this_year || year > this_year + kYearsAheadMax) {
    return wrong_card("invalid_expiry_year", "exp_year");
  }
  if (year == this_year && month < this_month) {
    return wrong_card("invalid_expiry_month", "exp_month");
  }
  return std::nullopt;
}

bool is_cvc(std::string_view cvc, std::string_view brand) noexcept {
  return is_digits(cvc) && (cvc.size() == 3 || (cvc.size() == 4 && brand == "amex"));
}

std::string fingerprint(std::string_view number, const SecretBytes& salt) {
  const crypto::HmacTag tag = crypto::hmac_sha256(salt.reveal(), as_bytes(number));
  return base32(tag).substr(0, kFingerprintCharacters);
}

// REQUIRES: check_number() found nothing wrong.
Card card_of(std::string_view number, const SecretBytes& salt) {
  const TestRange& range = *find_test_range(number);
  const TestCard* listed = find_test_card(number);
  return {.brand = range.brand,
          .funding = listed != nullptr ? listed->funding : "credit",
          .bin = std::string(number.substr(0, 6)),
          .last4 = std::string(number.substr(number.size() - 4)),
          .fingerprint = fingerprint(number, salt),
          .behavior = listed != nullptr ? &listed->behavior : &kApproved};
}

}  // namespace

std::expected<Card, ApiError> read_card(const Form& form, const CardReader& reader) {
  const auto number = form.value("card[number]");
  const auto month = form.value("card[exp_month]");
  const auto year = form.value("card[exp_year]");
  const auto cvc = form.value("card[cvc]");
  if (!number) return std::unexpected(missing("card[number]"));
  if (!month) return std::unexpected(missing("card[exp_month]"));
  if (!year) return std::unexpected(missing("card[exp_year]"));
  if (auto wrong = check_number(*number)) return std::unexpected(*std::move(wrong));
  const std::int64_t exp_month = parse_integer(*month).value_or(0);
  const std::int64_t exp_year = parse_integer(*year).value_or(0);
  if (auto wrong = check_expiry(exp_month, exp_year, reader.now_s)) {
    return std::unexpected(*std::move(wrong));
  }
  Card card = card_of(*number, reader.salt);
  if (cvc && !is_cvc(*cvc, card.brand)) return std::unexpected(wrong_card("invalid_cvc", "cvc"));
  card.exp_month = static_cast<int>(exp_month);
  card.exp_year = static_cast<int>(exp_year);
  card.cvc_given = cvc.has_value();
  return card;
}

std::expected<Card, ApiError> card_of_test_id(std::string_view id, const CardReader& reader) {
  const std::string_view number = number_of_test_id(id);
  if (number.empty()) return std::unexpected(no_such("PaymentMethod", "payment_method"));
  Card card = card_of(number, reader.salt);
  card.exp_month = 12;
  card.exp_year = static_cast<int>(date_of(reader.now_s).year()) + 1;
  card.cvc_given = true;
  return card;
}

}  // namespace strongroom::simulators::stripe

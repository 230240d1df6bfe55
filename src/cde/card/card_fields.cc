// Reading a card. The order of the checks is the order in which a client mends them: members, card
// number, expiry, the rest.
#include "cde/card/card_fields.h"

#include <boost/json/object.hpp>
#include <string_view>
#include <utility>

#include "base/pan_scan.h"
#include "base/try.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;
template <class T>
using Parsed = std::expected<T, Problem>;

Problem problem_of_fault(PanFault fault) {
  switch (fault) {
    case PanFault::not_digits:
      return {ProblemType::invalid_value, "must hold digits only", "#/card/number"};
    case PanFault::length:
      return {ProblemType::card_number_length, "must have 12 to 19 digits", "#/card/number"};
    case PanFault::check_digit:
      return {ProblemType::card_number_check_digit, "the check digit is wrong", "#/card/number"};
    case PanFault::no_memory:
      return kCardMemoryFull;
  }
  std::unreachable();
}

Parsed<Pan> parse_pan(std::string_view digits, Profile profile) {
  auto pan = Pan::parse(digits);
  if (!pan) return std::unexpected(problem_of_fault(pan.error()));
  if (profile == Profile::demo && !pan->is_in_test_range()) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "the demo profile takes test cards only", "#/card/number"});
  }
  if (profile == Profile::production && pan->is_documented_test_number()) {
    return std::unexpected(Problem{ProblemType::invalid_value,
                                   "the production profile takes no test cards", "#/card/number"});
  }
  return *std::move(pan);
}

Parsed<ExpiryDate> parse_expiry(std::int64_t month, std::int64_t year,
                                std::optional<std::int64_t> now_us) {
  const auto expiry = ExpiryDate::create(month, year);
  if (!expiry) {
    return std::unexpected(
        Problem{ProblemType::invalid_value, "must be a year with four digits", "#/card/exp_year"});
  }
  if (now_us && expiry->has_passed(*now_us)) {
    return std::unexpected(
        Problem{ProblemType::card_expired, "the card has expired", "#/card/exp_year"});
  }
  return *expiry;
}

Parsed<std::optional<Cvc>> parse_cvc(std::optional<std::string_view> digits) {
  if (!digits) return std::nullopt;
  auto cvc = Cvc::parse(*digits);
  if (cvc) return *std::move(cvc);
  if (cvc.error().code() == ErrorCode::exhausted) return std::unexpected(kCardMemoryFull);
  return std::unexpected(
      Problem{ProblemType::invalid_value, "must have three or four digits", "#/card/cvc"});
}

Parsed<SecretBytes> parse_name(std::optional<std::string_view> text) {
  if (!text) return SecretBytes();
  if (looks_like_pan(*text)) {
    return std::unexpected(Problem{ProblemType::looks_like_card_data,
                                   "a name must not hold a card number", "#/card/name"});
  }
  auto name = SecretBytes::copy_of(as_bytes(*text));
  if (!name) return std::unexpected(kCardMemoryFull);
  return *std::move(name);
}

}  // namespace

Parsed<CardFields> read_card_fields(const boost::json::object& card, Profile profile,
                                    std::optional<std::int64_t> now_us) {
  wire::ObjectReader reader(card);
  const auto number =
      reader.text("#/card/number", {0, 4096});  // its own length problem comes later
  const auto exp_month = reader.integer("#/card/exp_month", 1, 12);
  const auto exp_year = reader.integer("#/card/exp_year", 2000, 2099);
  const auto cvc_digits = reader.text_or_none("#/card/cvc", {3, 4});
  const auto name_text = reader.text_or_none("#/card/name", {1, kNameBytesMax});
  if (auto problem = reader.finish()) return std::unexpected(*problem);

  SR_TRY(Pan pan, parse_pan(number, profile));
  SR_TRY(const ExpiryDate expiry, parse_expiry(exp_month, exp_year, now_us));
  SR_TRY(std::optional<Cvc> cvc, parse_cvc(cvc_digits));
  SR_TRY(SecretBytes name, parse_name(name_text));
  return CardFields{std::move(pan), expiry, std::move(cvc), std::move(name)};
}

}  // namespace strongroom::cde

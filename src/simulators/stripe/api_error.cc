// The wording where it is recorded, else plain words.
#include "simulators/stripe/api_error.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

namespace strongroom::simulators::stripe {
namespace {

constexpr std::string_view kDocumentation = "https://stripe.com/docs/error-codes/";

struct CardMessage {
  std::string_view code;
  std::string_view message;
};
constexpr std::array kCardMessages{
    CardMessage{"authentication_required",
                "Your card was declined. This transaction requires authentication."},
    CardMessage{"card_velocity_exceeded",
                "Your card was declined for making repeated attempts too frequently or exceeding "
                "its amount limit."},
    CardMessage{"expired_card", "Your card has expired."},
    CardMessage{"incorrect_cvc", "Your card's security code is incorrect."},
    CardMessage{"incorrect_number", "Your card number is incorrect."},
    CardMessage{"incorrect_zip", "Your card's postal code is incorrect."},
    CardMessage{"insufficient_funds", "Your card has insufficient funds."},
    CardMessage{"invalid_cvc", "Your card's security code is invalid."},
    CardMessage{"invalid_expiry_month", "Your card's expiration month is invalid."},
    CardMessage{"invalid_expiry_year", "Your card's expiration year is invalid."},
    CardMessage{"invalid_number", "The card number is not a valid credit card number."},
    CardMessage{"processing_error",
                "An error occurred while processing your card. Try again in a little bit."},
    CardMessage{"test_mode_live_card",
                "Your card was declined. Your request was in test mode, but used a non test card."},
};

// Decline codes that are error codes by themselves; all others come with `card_declined`.
constexpr std::array<std::string_view, 6> kOwnCodes{"authentication_required", "expired_card",
                                                    "incorrect_cvc",           "incorrect_number",
                                                    "incorrect_zip",           "processing_error"};

std::string_view card_message(std::string_view code) noexcept {
  const auto found = std::ranges::find(kCardMessages, code, &CardMessage::code);
  return found == kCardMessages.end() ? "Your card was declined." : found->message;
}

void add(boost::json::object& object, std::string_view key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

std::string documentation_of(const std::string& code) {
  std::string page = code;
  std::ranges::replace(page, '_', '-');
  return fmt::format("{}{}", kDocumentation, page);
}

}  // namespace

boost::json::object details_of(const ApiError& error) {
  boost::json::object details;
  add(details, "charge", error.charge);
  add(details, "code", error.code);
  add(details, "decline_code", error.decline_code);
  if (!error.code.empty()) details["doc_url"] = documentation_of(error.code);
  add(details, "message", error.message);
  add(details, "param", error.param);
  if (!error.payment_method.empty()) {
    details["payment_method"] = error.payment_method;
    details["payment_method_type"] = "card";
  }
  details["type"] = error.type;
  return details;
}

boost::json::object to_json(const ApiError& error) {
  boost::json::object details = details_of(error);
  if (!error.payment_intent.empty()) details["payment_intent"] = error.payment_intent;
  return {{"error", std::move(details)}};
}

ApiError invalid_request(std::string message, std::string_view param, std::string_view code) {
  return {.code = std::string(code), .message = std::move(message), .param = std::string(param)};
}

ApiError no_such(std::string_view object, std::string_view param) {
  return {.status = 404,
          .code = "resource_missing",
          .message = fmt::format("No such {}", object),
          .param = std::string(param)};
}

ApiError unexpected_state(std::string message, boost::json::object payment_intent) {
  return {.code = "payment_intent_unexpected_state",
          .message = std::move(message),
          .payment_intent = std::move(payment_intent)};
}

ApiError wrong_card(std::string_view code, std::string_view param) {
  return {.status = 402,
          .type = "card_error",
          .code = std::string(code),
          .message = std::string(card_message(code)),
          .param = std::string(param)};
}

ApiError declined(std::string_view decline_code) {
  const bool own = std::ranges::find(kOwnCodes, decline_code) != kOwnCodes.end();
  return {.status = 402,
          .type = "card_error",
          .code = own ? std::string(decline_code) : "card_declined",
          .message = std::string(card_message(decline_code)),
          .param = decline_code == "incorrect_cvc" ? "cvc" : "",
          .decline_code = std::string(decline_code)};
}

ApiError wrong_key(bool absent) {
  return {.status = 401,
          .message = absent ? "You did not provide an API key."
                            : "Invalid API Key provided: this simulator takes sk_test_ keys."};
}

ApiError backend_failed() {
  return {.status = 500,
          .type = "api_error",
          .message = "Error while communicating with one of our backends.  Sorry about that!"};
}

ApiError unavailable() {
  return {.status = 503, .type = "api_error", .message = "Service unavailable. Try again."};
}

}  // namespace strongroom::simulators::stripe

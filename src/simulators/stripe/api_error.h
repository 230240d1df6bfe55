// ApiError: a refusal in Stripe's form, {"error":{...}}. It may name ids and parameters, which the
// client already knows; it never repeats a value.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

namespace strongroom::simulators::stripe {

struct ApiError {
  int status = 400;
  std::string_view type = "invalid_request_error";
  std::string code{};  // this and the following are left out when they are empty
  std::string message{};
  std::string param{};
  std::string decline_code{};
  std::string charge{};
  boost::json::object payment_intent{};
  boost::json::object payment_method{};
};

// Reply is what a method of the API gives: an object, or a refusal.
using Reply = std::expected<boost::json::object, ApiError>;

[[nodiscard]] boost::json::object to_json(const ApiError& error);
// The part inside {"error":...}, as `last_payment_error` shows it: without the payment itself.
[[nodiscard]] boost::json::object details_of(const ApiError& error);

// 400 with a message, and with a code or parameter where there is one.
[[nodiscard]] ApiError invalid_request(std::string message, std::string_view param = {},
                                       std::string_view code = {});
// 404: there is no `object` ("payment_intent") with the id that `param` names.
[[nodiscard]] ApiError no_such(std::string_view object, std::string_view param);
// 400: the intent's status does not allow what was asked.
[[nodiscard]] ApiError unexpected_state(std::string message, boost::json::object payment_intent);
// 402 card_error of one parameter of a card.
[[nodiscard]] ApiError wrong_card(std::string_view code, std::string_view param);
// 402 card_error for an issuer's decline code; the message and the error's code follow from it. Any
// text is taken: issuers' codes come and go.
[[nodiscard]] ApiError declined(std::string_view decline_code);
// 401: no key, or none that this simulator takes.
[[nodiscard]] ApiError wrong_key(bool absent);
// 500, as the recorded one.
[[nodiscard]] ApiError backend_failed();
// 503: a gateway before the API has none to ask.
[[nodiscard]] ApiError unavailable();

}  // namespace strongroom::simulators::stripe

// The tables, in the API's own names, and the one check.
#include "simulators/stripe/parameters.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>

#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

using enum ParameterKind;

constexpr std::string_view kFutureUsages = "on_session off_session";
constexpr std::string_view kCaptureMethods = "automatic automatic_async manual";

constexpr std::array kExpand{Parameter{.name = "expand[]"}};

constexpr std::array kMetadata{
    Parameter{.name = "metadata[*]", .bytes_max = 500, .may_be_empty = true},
};

constexpr std::array kCustomer{
    Parameter{.name = "address[city]", .may_be_empty = true},
    Parameter{.name = "address[country]", .may_be_empty = true},
    Parameter{.name = "address[line1]", .may_be_empty = true},
    Parameter{.name = "address[line2]", .may_be_empty = true},
    Parameter{.name = "address[postal_code]", .may_be_empty = true},
    Parameter{.name = "address[state]", .may_be_empty = true},
    Parameter{.name = "description", .may_be_empty = true},
    Parameter{.name = "email", .bytes_max = 512, .may_be_empty = true},
    Parameter{.name = "name", .bytes_max = 256, .may_be_empty = true},
    Parameter{.name = "phone", .bytes_max = 20, .may_be_empty = true},
};

constexpr std::array kPaymentMethod{
    Parameter{.name = "type", .bytes_max = 64, .required = true},
    Parameter{.name = "card[number]", .bytes_max = 64},
    Parameter{.name = "card[exp_month]", .kind = integer},
    Parameter{.name = "card[exp_year]", .kind = integer},
    Parameter{.name = "card[cvc]", .bytes_max = 16},
    Parameter{.name = "billing_details[address][city]", .may_be_empty = true},
    Parameter{.name = "billing_details[address][country]", .may_be_empty = true},
    Parameter{.name = "billing_details[address][line1]", .may_be_empty = true},
    Parameter{.name = "billing_details[address][line2]", .may_be_empty = true},
    Parameter{.name = "billing_details[address][postal_code]", .may_be_empty = true},
    Parameter{.name = "billing_details[address][state]", .may_be_empty = true},
    Parameter{.name = "billing_details[email]", .may_be_empty = true},
    Parameter{.name = "billing_details[name]", .may_be_empty = true},
    Parameter{.name = "billing_details[phone]", .may_be_empty = true},
};

constexpr std::array kAttach{Parameter{.name = "customer", .required = true}};

constexpr std::array kPaymentIntent{
    Parameter{.name = "amount", .kind = integer, .required = true},
    Parameter{.name = "automatic_payment_methods[allow_redirects]",
              .kind = choice,
              .choices = "always never"},
    Parameter{.name = "automatic_payment_methods[enabled]", .kind = boolean},
    Parameter{.name = "capture_method", .kind = choice, .choices = kCaptureMethods},
    Parameter{.name = "confirm", .kind = boolean},
    Parameter{.name = "confirmation_method", .kind = choice, .choices = "automatic manual"},
    Parameter{.name = "currency", .bytes_max = 3, .required = true},
    Parameter{.name = "customer"},
    Parameter{.name = "description", .bytes_max = 1000, .may_be_empty = true},
    Parameter{.name = "error_on_requires_action", .kind = boolean},
    Parameter{.name = "expand[]"},
    Parameter{.name = "off_session", .kind = choice, .choices = "true false one_off recurring"},
    Parameter{.name = "payment_method"},
    Parameter{.name = "payment_method_types[]"},
    Parameter{.name = "receipt_email", .may_be_empty = true},
    Parameter{.name = "return_url"},
    Parameter{.name = "setup_future_usage", .kind = choice, .choices = kFutureUsages},
    Parameter{.name = "statement_descriptor", .bytes_max = 22},
    Parameter{.name = "statement_descriptor_suffix", .bytes_max = 22},
    Parameter{.name = "use_stripe_sdk", .kind = boolean},
};

constexpr std::array kConfirm{
    Parameter{.name = "capture_method", .kind = choice, .choices = kCaptureMethods},
    Parameter{.name = "error_on_requires_action", .kind = boolean},
    Parameter{.name = "expand[]"},
    Parameter{.name = "off_session", .kind = choice, .choices = "true false one_off recurring"},
    Parameter{.name = "payment_method"},
    Parameter{.name = "return_url"},
    Parameter{.name = "setup_future_usage", .kind = choice, .choices = kFutureUsages},
    Parameter{.name = "use_stripe_sdk", .kind = boolean},
};

constexpr std::array kCardOptions{
    Parameter{.name = "payment_method_options[card][capture_method]",
              .kind = choice,
              .choices = "manual"},
    Parameter{.name = "payment_method_options[card][network]", .bytes_max = 32},
    Parameter{.name = "payment_method_options[card][request_extended_authorization]",
              .kind = choice,
              .choices = "if_available never"},
    Parameter{.name = "payment_method_options[card][request_incremental_authorization]",
              .kind = choice,
              .choices = "if_available never"},
    Parameter{.name = "payment_method_options[card][request_multicapture]",
              .kind = choice,
              .choices = "if_available never"},
    Parameter{.name = "payment_method_options[card][request_overcapture]",
              .kind = choice,
              .choices = "if_available never"},
    Parameter{.name = "payment_method_options[card][request_three_d_secure]",
              .kind = choice,
              .choices = "any automatic challenge"},
    Parameter{.name = "payment_method_options[card][setup_future_usage]",
              .kind = choice,
              .choices = "none off_session on_session"},
    Parameter{.name = "payment_method_options[card][three_d_secure][ares_trans_status]",
              .kind = choice,
              .choices = "A C I N R U Y"},
    Parameter{.name = "payment_method_options[card][three_d_secure][cryptogram]"},
    Parameter{.name = "payment_method_options[card][three_d_secure][electronic_commerce_indicator]",
              .kind = choice,
              .choices = "01 02 05 06 07"},
    Parameter{.name = "payment_method_options[card][three_d_secure][exemption_indicator]",
              .kind = choice,
              .choices = "low_risk none"},
    Parameter{.name = "payment_method_options[card][three_d_secure][transaction_id]"},
    Parameter{.name = "payment_method_options[card][three_d_secure][version]",
              .kind = choice,
              .choices = "1.0.2 2.1.0 2.2.0"},
};

constexpr std::array kCapture{
    Parameter{.name = "amount_to_capture", .kind = integer},
    Parameter{.name = "final_capture", .kind = boolean},
    Parameter{.name = "statement_descriptor", .bytes_max = 22},
    Parameter{.name = "statement_descriptor_suffix", .bytes_max = 22},
};

constexpr std::array kCancel{
    Parameter{.name = "cancellation_reason",
              .kind = choice,
              .choices = "abandoned duplicate fraudulent requested_by_customer"},
};

constexpr std::array kRefund{
    Parameter{.name = "amount", .kind = integer},
    Parameter{.name = "charge"},
    Parameter{.name = "payment_intent"},
    Parameter{
        .name = "reason", .kind = choice, .choices = "duplicate fraudulent requested_by_customer"},
};

constexpr std::array kGetPaymentIntent{Parameter{.name = "client_secret"}};

constexpr std::array kSearch{
    Parameter{.name = "limit", .kind = integer},
    Parameter{.name = "page"},
    Parameter{.name = "query", .required = true},
};

constexpr std::array kListRefunds{
    Parameter{.name = "charge"},
    Parameter{.name = "limit", .kind = integer},
    Parameter{.name = "payment_intent"},
    Parameter{.name = "starting_after"},
};

bool fits(std::string_view pattern, std::string_view name) noexcept {
  while (!pattern.empty() && !name.empty()) {
    const std::string_view expected = take_segment(pattern);
    const std::string_view segment = take_segment(name);
    const bool agrees = expected == "*"
                            ? !segment.empty()
                            : expected == segment || (expected.empty() && is_list_index(segment));
    if (!agrees) return false;
  }
  return pattern.empty() && name.empty();
}

const Parameter* find(std::string_view name, const ParameterTables& tables) noexcept {
  for (const auto& table : tables) {
    for (const Parameter& parameter : table) {
      if (fits(parameter.name, name)) return &parameter;
    }
  }
  return nullptr;
}

bool is_choice(std::string_view choices, std::string_view value) noexcept {
  while (!choices.empty()) {
    const std::string_view one = choices.substr(0, choices.find(' '));
    if (one == value) return true;
    choices.remove_prefix(std::min(one.size() + 1, choices.size()));
  }
  return false;
}

std::optional<ApiError> check_value(const Parameter& parameter, const FormField& field) {
  if (field.value.empty()) {
    if (parameter.may_be_empty) return std::nullopt;
    return invalid_request(fmt::format("You passed an empty string for '{}'.", field.name),
                           field.name, "parameter_invalid_empty");
  }
  if (field.value.size() > parameter.bytes_max) {
    return invalid_request(
        fmt::format("Invalid {}: must be at most {} characters", field.name, parameter.bytes_max),
        field.name);
  }
  if (parameter.kind == integer && !parse_integer(field.value)) {
    return invalid_request(fmt::format("Invalid integer: {}", field.name), field.name,
                           "parameter_invalid_integer");
  }
  const std::string_view choices = parameter.kind == boolean ? "true false" : parameter.choices;
  if (!choices.empty() && !is_choice(choices, field.value)) {
    return invalid_request(fmt::format("Invalid {}: must be one of {}", field.name, choices),
                           field.name);
  }
  return std::nullopt;
}

std::optional<ApiError> check_missing(const Form& form, const ParameterTables& tables) {
  for (const auto& table : tables) {
    for (const Parameter& parameter : table) {
      if (!parameter.required || form.value(parameter.name)) continue;
      return invalid_request(fmt::format("Missing required param: {}.", parameter.name),
                             parameter.name, "parameter_missing");
    }
  }
  return std::nullopt;
}

}  // namespace

constinit const ParameterTables kNoParameters{kExpand};
constinit const ParameterTables kCustomerParameters{kCustomer, kMetadata, kExpand};
constinit const ParameterTables kPaymentMethodParameters{kPaymentMethod, kMetadata, kExpand};
constinit const ParameterTables kAttachParameters{kAttach, kExpand};
constinit const ParameterTables kPaymentIntentParameters{kPaymentIntent, kCardOptions, kMetadata};
constinit const ParameterTables kConfirmParameters{kConfirm, kCardOptions};
constinit const ParameterTables kCaptureParameters{kCapture, kMetadata, kExpand};
constinit const ParameterTables kCancelParameters{kCancel, kExpand};
constinit const ParameterTables kRefundParameters{kRefund, kMetadata, kExpand};
constinit const ParameterTables kGetPaymentIntentParameters{kGetPaymentIntent, kExpand};
constinit const ParameterTables kSearchParameters{kSearch, kExpand};
constinit const ParameterTables kListRefundsParameters{kListRefunds, kExpand};

std::optional<ApiError> check_parameters(const Form& form, const ParameterTables& tables) {
  for (const FormField& field : form.fields()) {
    if (find(field.name, tables) != nullptr) continue;
    return invalid_request(fmt::format("Received unknown parameter: {}", field.name), field.name,
                           "parameter_unknown");
  }
  for (const FormField& field : form.fields()) {
    if (auto wrong = check_value(*find(field.name, tables), field)) return wrong;
  }
  return check_missing(form, tables);
}

}  // namespace strongroom::simulators::stripe

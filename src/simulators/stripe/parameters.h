// Which parameters each method of the API takes. What stands in no table is refused as Stripe does,
// parameter_unknown, also where Stripe knows it and this simulator does not play it: a connector
// that relies on it would otherwise pass by luck.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "simulators/stripe/api_error.h"
#include "simulators/stripe/form.h"

namespace strongroom::simulators::stripe {

enum class ParameterKind : std::uint8_t {
  text,
  integer,  // of 64 bits
  boolean,  // "true" or "false"
  choice,   // one of `choices`
};

// Parameter is one row. In a name, `[*]` stands for any member and `[]` for a list's elements.
struct Parameter {
  std::string_view name;
  ParameterKind kind = ParameterKind::text;
  std::size_t bytes_max = 5000;
  std::string_view choices{};  // separated by blanks
  bool required = false;
  bool may_be_empty = false;  // an empty value unsets it
};

// A method's parameters: its own and those that it shares with others.
using ParameterTables = std::array<std::span<const Parameter>, 3>;

extern const ParameterTables kNoParameters;  // `expand` alone
extern const ParameterTables kCustomerParameters;
extern const ParameterTables kPaymentMethodParameters;
extern const ParameterTables kAttachParameters;
extern const ParameterTables kPaymentIntentParameters;
extern const ParameterTables kConfirmParameters;
extern const ParameterTables kCaptureParameters;
extern const ParameterTables kCancelParameters;
extern const ParameterTables kRefundParameters;
extern const ParameterTables kGetPaymentIntentParameters;
extern const ParameterTables kSearchParameters;
extern const ParameterTables kListRefundsParameters;

// The first thing that is wrong with `form`: parameter_unknown, then parameter_invalid_integer,
// parameter_invalid_empty, an over-long text or a choice that is none, then parameter_missing.
[[nodiscard]] std::optional<ApiError> check_parameters(const Form& form,
                                                       const ParameterTables& tables);

}  // namespace strongroom::simulators::stripe

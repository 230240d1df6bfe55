// Parts of objects that several objects have.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "simulators/stripe/ledger.h"

namespace strongroom::simulators::stripe {

// Null for what is not there.
[[nodiscard]] boost::json::value or_null(const std::string& text);
[[nodiscard]] boost::json::value or_null(std::int64_t number);
[[nodiscard]] boost::json::object metadata_json(const Metadata& metadata);
[[nodiscard]] boost::json::object billing_json(const PaymentMethod& method);
// What was compared; `passed` says what became of it where the card does not fail.
[[nodiscard]] boost::json::object checks_json(const PaymentMethod& method, std::string_view passed);

}  // namespace strongroom::simulators::stripe

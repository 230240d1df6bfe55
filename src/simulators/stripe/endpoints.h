// Endpoints: the table of the API's methods.
#pragma once

#include <span>
#include <string_view>

#include "http/message.h"
#include "simulators/stripe/methods.h"
#include "simulators/stripe/parameters.h"

namespace strongroom::simulators::stripe {

struct Endpoint {
  http::Method method;
  std::string_view pattern;
  const ParameterTables& parameters;
  Reply (*act)(const Call& call);
};

// In the order in which a router must know them.
[[nodiscard]] std::span<const Endpoint> endpoints() noexcept;

}  // namespace strongroom::simulators::stripe

// What a request's target is made of.
#pragma once

#include <string>
#include <string_view>

namespace strongroom::http {

// `text` for a query of a target (RFC 3986 section 2.1): all but what never needs it is encoded.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace strongroom::http

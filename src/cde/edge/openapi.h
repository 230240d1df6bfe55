// The description of the public API: api/public.yaml in one piece, made when Strongroom is built.
#pragma once

#include <string_view>

namespace strongroom::cde {

// JSON, OpenAPI 3.1.
[[nodiscard]] std::string_view openapi_json() noexcept;

}  // namespace strongroom::cde

// The version that --version, /readyz and evidence name.
#pragma once

#include <string_view>

namespace strongroom::service {

inline constexpr std::string_view kVersion = SR_VERSION;

}  // namespace strongroom::service

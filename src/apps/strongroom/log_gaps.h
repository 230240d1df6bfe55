// What an audit log that was verified lacks, in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/verify.h"

namespace strongroom::tool {

// "1 entry", "2 entries".
[[nodiscard]] std::string count(std::uint64_t number, std::string_view one, std::string_view many);

// A line of each thing that was not read, or may be missing; none of a log that is whole and here.
[[nodiscard]] std::vector<std::string> gaps_of(const audit::VerifyReport& report);

}  // namespace strongroom::tool

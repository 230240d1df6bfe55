// Plain tables for people: columns padded to their widest cell, no color, no borders.
#pragma once

#include <string>
#include <vector>

namespace strongroom::tool {

// The rows as lines, the first one being the heading. REQUIRES: rows of equal length.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace strongroom::tool

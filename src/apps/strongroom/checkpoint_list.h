// Checkpoints as the commands about exports show them.
#pragma once

#include <boost/json/array.hpp>
#include <vector>

#include "audit/checkpoint.h"

namespace strongroom::tool {

[[nodiscard]] boost::json::array checkpoints_json(
    const std::vector<audit::Checkpoint>& checkpoints);
// A line each.
void print_checkpoints(const std::vector<audit::Checkpoint>& checkpoints);

}  // namespace strongroom::tool

// Checkpoints as the commands about exports show them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <vector>

#include "audit/checkpoint.h"

namespace strongroom::tool {

[[nodiscard]] boost::json::object to_json(const audit::Checkpoint& checkpoint);
// A line.
void print_checkpoint(const audit::Checkpoint& checkpoint);

[[nodiscard]] boost::json::array checkpoints_json(
    const std::vector<audit::Checkpoint>& checkpoints);
// A line each.
void print_checkpoints(const std::vector<audit::Checkpoint>& checkpoints);

}  // namespace strongroom::tool

// Checkpoints, and what is absent, as the commands about exports show them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/static_tree.h"

namespace strongroom::tool {

[[nodiscard]] boost::json::object to_json(const audit::Checkpoint& checkpoint);
// A line.
void print_checkpoint(const audit::Checkpoint& checkpoint);

[[nodiscard]] boost::json::array checkpoints_json(
    const std::vector<audit::Checkpoint>& checkpoints);
// A line each.
void print_checkpoints(const std::vector<audit::Checkpoint>& checkpoints);

// By <owner>/<shard>: which entries are not in an export, and which archive they were in.
[[nodiscard]] boost::json::array gaps_json(const std::map<std::string, audit::StaticGaps>& gaps);
void print_gaps(const std::map<std::string, audit::StaticGaps>& gaps);

}  // namespace strongroom::tool

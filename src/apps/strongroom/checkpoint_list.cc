// Checkpoints as JSON and as text.
#include "apps/strongroom/checkpoint_list.h"

#include <fmt/core.h>

#include <boost/json/object.hpp>

#include "base/encoding.h"

namespace strongroom::tool {

boost::json::array checkpoints_json(const std::vector<audit::Checkpoint>& checkpoints) {
  boost::json::array logs;
  logs.reserve(checkpoints.size());
  for (const audit::Checkpoint& checkpoint : checkpoints) {
    logs.push_back(boost::json::object{{"origin", checkpoint.origin},
                                       {"size", checkpoint.size},
                                       {"root", base64(checkpoint.root)}});
  }
  return logs;
}

void print_checkpoints(const std::vector<audit::Checkpoint>& checkpoints) {
  for (const audit::Checkpoint& checkpoint : checkpoints) {
    fmt::print("  {}: {} entries, root {}\n", checkpoint.origin, checkpoint.size,
               base64(checkpoint.root));
  }
}

}  // namespace strongroom::tool

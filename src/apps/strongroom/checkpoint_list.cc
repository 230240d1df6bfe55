// Checkpoints as JSON and as text.
#include "apps/strongroom/checkpoint_list.h"

#include <fmt/core.h>

#include "base/encoding.h"

namespace strongroom::tool {

boost::json::object to_json(const audit::Checkpoint& checkpoint) {
  return {
      {"origin", checkpoint.origin}, {"size", checkpoint.size}, {"root", base64(checkpoint.root)}};
}

void print_checkpoint(const audit::Checkpoint& checkpoint) {
  fmt::print("  {}: {} entries, root {}\n", checkpoint.origin, checkpoint.size,
             base64(checkpoint.root));
}

boost::json::array checkpoints_json(const std::vector<audit::Checkpoint>& checkpoints) {
  boost::json::array logs;
  logs.reserve(checkpoints.size());
  for (const audit::Checkpoint& checkpoint : checkpoints) logs.push_back(to_json(checkpoint));
  return logs;
}

void print_checkpoints(const std::vector<audit::Checkpoint>& checkpoints) {
  for (const audit::Checkpoint& checkpoint : checkpoints) print_checkpoint(checkpoint);
}

boost::json::array gaps_json(const std::map<std::string, audit::StaticGaps>& gaps) {
  boost::json::array all;
  for (const auto& [log, of_log] : gaps) {
    for (const audit::StaticGap& gap : of_log) {
      all.push_back(boost::json::object{
          {"log", log}, {"begin", gap.begin}, {"end", gap.end}, {"archive", gap.archive}});
    }
  }
  return all;
}

void print_gaps(const std::map<std::string, audit::StaticGaps>& gaps) {
  if (gaps.empty()) return;
  fmt::print("not in it, for they are in archives; their hashes are:\n");
  for (const auto& [log, of_log] : gaps) {
    for (const audit::StaticGap& gap : of_log) {
      fmt::print("  {}, entries {} to {}: {}\n", log, gap.begin, gap.end - 1, gap.archive);
    }
  }
}

}  // namespace strongroom::tool

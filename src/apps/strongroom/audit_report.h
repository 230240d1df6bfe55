// audit report: who touched which card, how often, and how it ended.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct ReportOptions {
  std::string day;       // YYYY-MM-DD, UTC; or a range of them; neither: today
  std::string from, to;  // both inclusive; empty: the first day of the log, today
  std::string merchant;  // empty: all
  std::string plot;      // file for an SVG picture; empty: none
};

// Counts the entries about cards per day, actor, token, operation and outcome, from the journal
// itself and from restored copies of it. An intent whose outcome is not told stands as `open`.
// kArchived: part of these days is in archives, which are named, and is not counted. Needs no
// daemon; audit-relay records the reading where it runs.
int report_touches(const Context& context, const ReportOptions& options);

}  // namespace strongroom::tool

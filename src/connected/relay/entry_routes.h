// Handlers of searching and following entries.
#pragma once

#include "async/task.h"
#include "connected/relay/reading.h"
#include "http/message.h"

namespace strongroom::connected::relay {

// A ticket's merchant searches its own logs; an operator all, or those of ?merchant=.
[[nodiscard]] async::Task<http::Response> search_entries(RouteParts parts, http::Request& request);
// What was indexed after ?after=, the newest entries without it; for operators. Waits up to
// kTailPatience for an entry other than of reading a log, so that who follows does not follow
// himself.
[[nodiscard]] async::Task<http::Response> tail_entries(RouteParts parts, http::Request& request);

// Per log how many entries the search index has, and of how many it does not know what they say.
[[nodiscard]] async::Task<http::Response> show_index(RouteParts parts, http::Request& request);

}  // namespace strongroom::connected::relay

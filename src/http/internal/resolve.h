// Names to IP addresses.
#pragma once

#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"

namespace strongroom::http::internal {

// The addresses of `host` as text, in the order to try them: itself when it is an address,
// 127.0.0.1 for "localhost", else what the system's resolver knows. unavailable: no such name, or
// no answer within the resolver's own limits.
[[nodiscard]] async::Task<Result<std::vector<std::string>>> resolve(async::Loop& loop,
                                                                    std::string host);

}  // namespace strongroom::http::internal

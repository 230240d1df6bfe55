// A daemon's --dump: its database leaves the store only between two entries of the audit log, which
// auditd makes in the name of the user who runs it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "crypto/random.h"
#include "service/deployment.h"
#include "service/start_error.h"

namespace strongroom::service {

// Takes bytes of a dump, all of them.
using DumpSink = std::function<Result<void>(std::span<const std::byte>)>;

// Runs `dump`, which gives `sink` the database of that name. An entry stands in the log before, and
// one behind it with the SHA-256 of what was given, or that it failed. Where auditd does not take
// the first, `dump` is not run; where it does not take the second, that is the error.
[[nodiscard]] Start<void> dump_recorded(const Deployment& deployment, std::string_view database,
                                        crypto::Random& random, const DumpSink& sink,
                                        const std::function<Start<void>(const DumpSink&)>& dump);

}  // namespace strongroom::service

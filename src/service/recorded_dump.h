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
// Gives away the first of them, as write(2) does: how many, at least one.
using DumpOutput = std::function<Result<std::size_t>(std::span<const std::byte>)>;

struct Dump {
  std::string_view database;  // its name
  std::function<Start<void>(const DumpSink&)> make;
  DumpOutput output;
};

// Makes the dump and gives it away. An entry stands in the log before, and one behind it with size
// and SHA-256 of what was given, also where that is not all. Where auditd does not take the first,
// nothing is made; where it does not take the second, that is the error.
[[nodiscard]] Start<void> dump_recorded(const Deployment& deployment, const Dump& dump,
                                        crypto::Random& random);

}  // namespace strongroom::service

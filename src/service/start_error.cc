// The one line that says why a process did not start.
#include "service/start_error.h"

#include <fmt/core.h>

namespace strongroom::service {

StartError::StartError(std::string_view where, const Error& error)
    : text_(error.detail() == 0
                ? fmt::format("{}: {}", where, error.what())
                : fmt::format("{}: {} ({:#x})", where, error.what(), error.detail())) {}

StartError::StartError(const ConfigError& error) : text_(error.text()) {}

}  // namespace strongroom::service

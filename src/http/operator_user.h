// Who gives a daemon a command on its admin socket.
#pragma once

#include <fmt/core.h>

#include <string>

#include "http/message.h"

namespace strongroom::http {

// The operator who calls, as an entry's actor: the user that the kernel names. REQUIRES: a route
// for kLocal.
[[nodiscard]] inline std::string operator_user(const Request& request) {
  return fmt::format("uid:{}", request.peer().uid.value_or(0));
}

}  // namespace strongroom::http

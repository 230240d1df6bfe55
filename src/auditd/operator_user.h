// Who gives auditd a command.
#pragma once

#include <fmt/core.h>

#include <string>

#include "http/message.h"

namespace strongroom::auditd {

// The operator who calls the admin socket, as an entry's actor: the user that the kernel names.
[[nodiscard]] inline std::string operator_user(const http::Request& request) {
  return fmt::format("uid:{}", request.peer().uid.value_or(0));
}

}  // namespace strongroom::auditd

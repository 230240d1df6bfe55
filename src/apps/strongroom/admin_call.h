// One request to a daemon's admin socket.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"

namespace strongroom::tool {

// The answer of `instance` of the deployment in `directory`; an empty `body` sends none.
// unavailable: no daemon answers. permission_denied: another user than this one and root listens
// there (as root: never).
[[nodiscard]] Result<http::ClientResponse> call_admin(const std::string& directory,
                                                      std::string_view instance,
                                                      http::Method method, std::string_view target,
                                                      std::string_view body = {});

}  // namespace strongroom::tool

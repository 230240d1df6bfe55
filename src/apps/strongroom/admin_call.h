// One request to a daemon's admin socket.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

#include "apps/strongroom/context.h"
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

// The object that `instance` answers, or the exit status after the reason was printed.
[[nodiscard]] std::expected<boost::json::object, int> ask_admin(const Context& context,
                                                                std::string_view instance,
                                                                http::Method method,
                                                                std::string_view target,
                                                                std::string_view body = {});

// The text member `key` of an answer, "-" where it has none.
[[nodiscard]] std::string member(const boost::json::object& object, std::string_view key);

}  // namespace strongroom::tool

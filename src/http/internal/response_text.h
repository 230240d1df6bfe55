// A response as the bytes that go out.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace strongroom::http::internal {

// Head and body in one buffer, for one write. To a HEAD the body is left out, its length told. A
// response whose fields hold control characters becomes a 500 instead (response splitting).
[[nodiscard]] std::string response_text(Response response, Method method,
                                        std::string_view request_id, bool close);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace strongroom::http::internal

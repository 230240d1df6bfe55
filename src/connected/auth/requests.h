// Bodies that clients send to authd, parsed once into what cannot be wrong.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>

#include "connected/auth/authority.h"

namespace strongroom::connected::auth {

// {"name"}: 1 to kNameBytesMax bytes, no control characters, nothing that looks like a card number.
[[nodiscard]] Answer<std::string> parse_merchant_request(std::span<const std::byte> body);

// {"merchant","name","role"?}, role merchant_admin by default. With `merchant` given (a ticket's),
// the body must not name one.
[[nodiscard]] Answer<KeyRequest> parse_key_request(std::span<const std::byte> body,
                                                   const std::optional<std::string>& merchant);

}  // namespace strongroom::connected::auth

// The body of PUT /v1/cards/{token}/cvc, by which a vaultd hands a verification code to the one
// that holds it. Written and read in the secret arena.
#pragma once

#include <cstddef>
#include <expected>
#include <span>

#include "base/result.h"
#include "base/secret.h"
#include "cde/card/cvc.h"
#include "wire/problem.h"

namespace strongroom::cde {

// exhausted.
[[nodiscard]] Result<SecretBytes> cvc_request_json(const Cvc& cvc);
// malformed_json, duplicate_key, missing_field, unknown_field, wrong_type, invalid_value,
// overloaded.
[[nodiscard]] std::expected<Cvc, wire::Problem> parse_cvc_request(std::span<const std::byte> body);

}  // namespace strongroom::cde

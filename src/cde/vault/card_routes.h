// The vault's HTTP interface: POST /v1/cards, GET and DELETE /v1/cards/{token}, and POST
// /v1/cards/{token}/processor-tokens (api/vault.yaml).
#pragma once

#include <string>

#include "base/clock.h"
#include "base/config.h"
#include "cde/vault/vault.h"
#include "http/router.h"

namespace strongroom::cde {

// Adds the routes to `router`; everything outlives it. Denials of scope are audited by `vault`.
void add_card_routes(http::Router& router, Vault& vault, Profile profile, const Clock& clock);

// The answer's JSON (design section 6, "Token request ... Reply").
[[nodiscard]] std::string to_json(const TokenView& view);

}  // namespace strongroom::cde

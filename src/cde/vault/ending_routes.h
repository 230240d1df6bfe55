// The routes by which an operator ends a version of a key, for vaultd's admin socket.
#pragma once

#include "base/clock.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/card_store.h"
#include "http/router.h"

namespace strongroom::cde {

struct EndingParts {
  const bool& serving;  // false: 503
  KeyKeeper& keeper;
  CardStore& cards;
  const Clock& clock;
};

// POST /v1/keys/{name}/{version}/mark-compromised; POST /v1/keys/{name}/{version}/destroy, which
// begins that, or answers 200 with every hindrance; GET /v1/keys/{name}/{version}/hindrances. Each
// answers {"key":VIEW,"hindrances":[{"kind","of","count","text"}]}.
void add_ending_routes(http::Router& router, EndingParts parts);

}  // namespace strongroom::cde

// The operator's and assessor's routes of vaultd's keys, for its admin socket.
#pragma once

#include "base/clock.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/erasure_job.h"
#include "cde/vault/rewrap_job.h"
#include "http/router.h"

namespace strongroom::cde {

struct KeyParts {
  const bool& serving;  // false: 503
  KeyKeeper& keeper;
  const RewrapJob& rewrap;
  const ErasureJob& erasures;
  const Clock& clock;
};

// GET /v1/keys lists every version, who lives on the database, how far cards have moved to the
// active version of `pan-encryption` (null: none has to), which are to be destroyed by when, and
// what the HSM says of itself; GET /v1/keys/{name}/{version} shows one; POST /v1/keys/{name}/rotate
// begins a rotation in the name of the operator who calls, and answers before the new version is
// active; GET /v1/keys/check compares registry and HSM, and answers 200 whatever it finds.
void add_key_routes(http::Router& router, KeyParts parts);

}  // namespace strongroom::cde

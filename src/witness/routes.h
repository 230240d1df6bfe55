// The witness's paths: of C2SP tlog-witness v1.0.0 POST /add-checkpoint, and GET
// /<hex SHA-256(origin)>/checkpoint for monitors; and GET /next-checkpoint?after=ORIGIN, of the log
// that comes next behind that one (Witness::checkpoint_after). Anyone may call them.
#pragma once

#include "http/router.h"
#include "witness/witness.h"

namespace strongroom::witness {

// `witness` outlives the router, and is used on its Loop's thread alone.
void add_routes(http::Router& router, Witness& witness);

}  // namespace strongroom::witness

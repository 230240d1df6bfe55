// audit-relay's routes: a merchant's own log for whoever has its key, every log for the platform.
#pragma once

#include "connected/relay/reading.h"
#include "http/router.h"

namespace strongroom::connected::relay {

// For the listener of services, edged with a ticket that sight_of (reading.h) takes. The tree of
// each log as C2SP tlog-tiles v0.1.0 has it:
//   GET /v1/audit/logs                              the logs that the ticket may see
//   GET /v1/audit/logs/{owner}/{shard}/checkpoint   the newest, signed
//   GET /v1/audit/logs/{owner}/{shard}/tile/...     hash tiles and entry bundles
//   GET /v1/audit/logs/{owner}/{shard}/proof/{index}  a .tlog-proof file to the newest checkpoint,
//                                                   which is waited for if it is to come
//   GET /v1/audit/logs/{owner}/{shard}/proof/{index}/witnessed  the same to a tree that the
//                                                   operator's cosigned log records, and that
//                                                   record
//   GET /v1/audit/entries                           search (requests.h)
// Who has kRequestsPerMerchantMax (reading.h) under way gets 429 rate_limited with a Retry-After
// for more; another merchant's logs are 404. Every reading and every denial is audited before it is
// answered.
void add_service_routes(http::Router& router, RouteParts parts);

// For the admin socket: GET /v1/entries (with ?merchant=), GET /v1/entries/tail?after=, which waits
// a few seconds for what is new, and POST /v1/exports/{owner}/{shard}, which the operator's tool
// sends before it exports that log.
void add_operator_routes(http::Router& router, RouteParts parts);

}  // namespace strongroom::connected::relay

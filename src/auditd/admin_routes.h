// auditd's commands, at its admin socket, and what audit-relay may tell it, at a socket of its own.
#pragma once

#include <functional>

#include "auditd/auditd.h"
#include "http/router.h"

namespace strongroom::auditd {

// Adds, each answered 503 while `auditd` gives null:
//   POST /v1/checkpoints  signs now: {"signed":N}
//   POST /v1/witness      {"note":TEXT}, a checkpoint that somebody else brought, or
//                         {"origin":TEXT,"size":N}, what a witness says it has cosigned. Answers
//                         {"testimony":"witnessed"|"consistent"|"settled"|"rolled_back",
//                         "witnesses":[VKEY...]}: Witnessed's Heard; log.witness names the
//                         operator
//   POST /v1/breaks       {"reason":TEXT}: records the break after a lawful restore,
//   {"opened":true}
void add_admin_routes(http::Router& router, const std::function<Auditd*()>& auditd);

// Adds POST /v1/witness alone, for audit-relay, whose bringing is no operator's act.
void add_witness_route(http::Router& router, const std::function<Auditd*()>& auditd);

}  // namespace strongroom::auditd

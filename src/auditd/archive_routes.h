// What auditd's admin socket offers about archives: making those that are due, the list, and
// restore, hold and dispose of one.
#pragma once

#include <functional>

#include "auditd/auditd.h"
#include "http/router.h"

namespace strongroom::auditd {

// Each answered 503 while `auditd` gives null:
//   POST /v1/archives       begins to make those that are due
//   GET  /v1/archives/run   how that goes: {"ended":false,"due":N,"archived":N}, or why it failed
//   GET  /v1/archives       {"data":[...]}
//   POST /v1/archives/{name}/restore, /hold ({"until":TIME}) and /dispose
void add_archive_routes(http::Router& router, const std::function<Auditd*()>& auditd);

}  // namespace strongroom::auditd

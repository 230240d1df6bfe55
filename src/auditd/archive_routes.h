// What auditd's admin socket offers about archives: making those that are due, the list, and
// restore, hold and dispose of one.
#pragma once

#include <functional>

#include "auditd/auditd.h"
#include "http/router.h"

namespace strongroom::auditd {

// `auditd` gives null while the journal is read.
void add_archive_routes(http::Router& router, const std::function<Auditd*()>& auditd);

}  // namespace strongroom::auditd

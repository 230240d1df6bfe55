// What auditd's admin socket takes about certificates: that one is about to be renewed, and how it
// ended.
#pragma once

#include <functional>

#include "auditd/auditd.h"
#include "http/router.h"

namespace strongroom::auditd {

// POST /v1/certificates {"certificate":TEXT,"key":TEXT,"act":"begin"|"end"|"failed"}: an entry
// key.generate in the name of the operator who asks, with the two files, by their paths below DIR,
// as its resources. Answered when the entry is durable: {"recorded":true}; 503 while `auditd` gives
// null.
void add_certificate_routes(http::Router& router, const std::function<Auditd*()>& auditd);

}  // namespace strongroom::auditd

// An entry of what an operator says over the admin socket that he is doing, or has done.
#pragma once

#include <expected>

#include "audit/entry.h"
#include "auditd/auditd.h"
#include "http/router.h"
#include "wire/problem.h"

namespace strongroom::auditd {

// Writes `entry` in the name of the operator who asks. Answers {"recorded":true} when it is
// durable; the problem that stands in its place; 503 where `auditd` is null or cannot write.
[[nodiscard]] async::Task<http::Response> record_said(
    Auditd* auditd, http::Request& request, std::expected<audit::Entry, wire::Problem> entry);

}  // namespace strongroom::auditd

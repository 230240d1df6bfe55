#include "auditd/said_entry.h"

#include <utility>

#include "http/operator_user.h"

namespace strongroom::auditd {
namespace {

constexpr Error kNotYet{ErrorCode::unavailable, "audit journal is still being read"};

}  // namespace

async::Task<http::Response> record_said(Auditd* auditd, http::Request& request,
                                        std::expected<audit::Entry, wire::Problem> entry) {
  if (!entry) co_return http::problem_response(entry.error(), request.request_id());
  entry->user = http::operator_user(request);
  Result<void> recorded = fail(kNotYet);
  if (auditd != nullptr) recorded = co_await auditd->record_asked(*std::move(entry));
  if (!recorded) {
    co_return http::problem_response(wire::problem_of(recorded.error()), request.request_id());
  }
  co_return http::json_response(200, R"({"recorded":true})");
}

}  // namespace strongroom::auditd

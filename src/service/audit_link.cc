#include "service/audit_link.h"

#include <chrono>
#include <utility>

#include "base/try.h"

namespace strongroom::service {
namespace {

constexpr std::chrono::seconds kPatience{2};

}  // namespace

AuditLink::AuditLink(async::Loop& loop, Host& host, uid_t auditd_uid, crypto::Random& random,
                     const Clock& clock, std::chrono::milliseconds wait_max)
    : unrecorded_(host.unrecorded),
      random_(random),
      clock_(clock),
      client_(loop, clock,
              {.socket_path = host.deployment.audit_socket_path(),
               .instance = host.deployment.instance,
               .auditd_uid = auditd_uid,
               .wait_max = wait_max}),
      denials_(loop, client_, random, clock) {}

async::Task<Result<void>> AuditLink::record_start() {
  for (const audit::Entry& made : unrecorded_.entries()) {
    SR_CO_CHECK_OK(co_await client_.record(made));
  }
  SR_CO_CHECK_OK(unrecorded_.forget());
  const audit::Entry entry =
      lifecycle_entry(audit::EventType::service_start, audit::Outcome::success);
  const Result<void> recorded = co_await client_.record(entry);
  started_ = recorded.has_value();
  co_return recorded;
}

void AuditLink::record_reload(bool all, const std::string& user) {
  if (!started_) return;
  const auto outcome = all ? audit::Outcome::success : audit::Outcome::failed;
  audit::Entry reload = lifecycle_entry(audit::EventType::config_reload, outcome);
  reload.user = user;
  client_.send(reload);
}

async::Task<bool> AuditLink::record_denial(const http::Request& request, std::string_view route) {
  std::string operation(http::to_string(request.method()));
  operation.append(" ").append(route);
  audit::Denial denial{.source_ip = request.peer().source,
                       .user = request.peer().identity,
                       .merchant_id = {},
                       .operation = std::move(operation),
                       .request_id = std::string(request.request_id())};
  const Result<void> recorded = co_await denials_.record(std::move(denial));
  co_return recorded.has_value();
}

async::Task<void> AuditLink::close() {
  co_await denials_.close();
  if (started_) {
    client_.send(lifecycle_entry(audit::EventType::service_stop, audit::Outcome::success));
  }
  static_cast<void>(co_await client_.drain(kPatience));
  co_await client_.close();
}

void AuditLink::readiness(Readiness& readiness) const {
  readiness.add("auditd", client_.ready(), "not reached");
}

audit::Entry AuditLink::lifecycle_entry(audit::EventType type, audit::Outcome outcome) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(random_, clock_);
  entry.event_type = type;
  entry.outcome = outcome;
  entry.time_us = clock_.now_us();
  return entry;
}

}  // namespace strongroom::service

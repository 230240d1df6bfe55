#include "connected/relay/failures.h"

#include "base/log.h"

namespace strongroom::connected::relay {

void Failures::tell(const std::string& control, std::string_view cause) {
  if (cause.empty()) {
    const auto ended = failing_.extract(control);
    if (!ended.empty() && ended.mapped().id != OperationId{}) write(control, ended.mapped(), cause);
    return;
  }
  const auto [place, begins] = failing_.try_emplace(control);
  Failure& failure = place->second;
  if (begins) failure.since_us = clock_.now_us();
  const std::chrono::microseconds lasts(clock_.now_us() - failure.since_us);
  if (failure.id != OperationId{} || lasts < grace_) return;
  failure.id = crypto::new_operation_id(random_, clock_);
  write(control, failure, cause);
}

void Failures::write(const std::string& control, const Failure& failure, std::string_view cause) {
  const bool fails = !cause.empty();
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(random_, clock_);
  entry.operation_id = failure.id;
  entry.event_type = audit::EventType::log_failure;
  entry.outcome = fails ? audit::Outcome::failed : audit::Outcome::success;
  entry.time_us = fails ? failure.since_us : clock_.now_us();
  entry.operation = cause;
  entry.resources = {control};
  recorder_.send(entry);
  if (fails) {
    log::error("a neighbor of the audit log fails", {{"control", control}, {"cause", cause}});
  } else {
    log::info("a neighbor of the audit log is well again", {{"control", control}});
  }
}

}  // namespace strongroom::connected::relay

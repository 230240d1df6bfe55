// Failures.
#include "auditd/failures.h"

#include "base/log.h"

namespace strongroom::auditd {

void Failures::tell(const std::string& control, bool fails, std::string_view cause) {
  if (failing_.contains(control) == fails) return;
  if (fails) {
    failing_.insert(control);
    log::error("audit log fails", {{"control", control}, {"cause", cause}});
  } else {
    failing_.erase(control);
    log::info("audit log fails no longer", {{"control", control}});
    cause = {};
  }
  async::spawn(record(control, cause, clock_.now_us()));
}

async::Task<void> Failures::record(std::string control, std::string_view cause,
                                   std::int64_t since_us) {
  co_await writer_.record_failure(std::move(control), cause, since_us);
}

}  // namespace strongroom::auditd

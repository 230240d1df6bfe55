// Failures: which parts of the logging fail now, as an operator and the log itself are told (PCI
// DSS 10.7.2, 10.7.3): an entry when one begins to fail, with its cause, and one when it ends.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "async/task.h"
#include "auditd/writer.h"
#include "base/clock.h"

namespace strongroom::auditd {

// Belongs to one Loop's thread.
class Failures {
 public:
  // Both outlive it; the writer must have ended before it goes.
  Failures(Writer& writer, const Clock& clock) : writer_(writer), clock_(clock) {}
  Failures(const Failures&) = delete;
  Failures& operator=(const Failures&) = delete;

  // Tells that `control` fails or works, as often as the caller looks; `cause` is a literal. What
  // the journal does not take now it gets later, with the time of this call.
  void tell(const std::string& control, bool fails, std::string_view cause);

 private:
  async::Task<void> record(std::string control, std::string_view cause, std::int64_t since_us);

  Writer& writer_;
  const Clock& clock_;
  std::set<std::string, std::less<>> failing_;
};

}  // namespace strongroom::auditd

// OwnLog: auditd's own entries as those of any process, durable or refused; Ledger::record_own()
// has those that wait for the disk.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "audit/recorder.h"
#include "auditd/writer.h"

namespace strongroom::auditd {

class OwnLog final : public audit::EntryLog {
 public:
  // `writer` outlives it; `instance` is auditd's own.
  OwnLog(Writer& writer, std::string instance) : writer_(writer), instance_(std::move(instance)) {}

  [[nodiscard]] async::Task<Result<void>> record(const audit::Entry& entry) override {
    return append(audit::to_json(entry, instance_));
  }

 private:
  async::Task<Result<void>> append(std::string json) {
    const std::array<std::string_view, 1> entries{json};
    const auto statuses = co_await writer_.append(instance_, entries);
    const bool durable = statuses.size() == 1 && statuses[0] == audit::EntryStatus::durable;
    co_return durable ? Result<void>{}
                      : fail({ErrorCode::unavailable, "audit journal did not take the entry"});
  }

  Writer& writer_;
  std::string instance_;
};

}  // namespace strongroom::auditd

// MemoryRecorder: remembers what was recorded; refuses while `available` is false. For tests.
#pragma once

#include <vector>

#include "audit/recorder.h"

namespace strongroom::connected::relay::testing {

class MemoryRecorder final : public audit::Recorder {
 public:
  [[nodiscard]] async::Task<Result<void>> record(const audit::Entry& entry) override {
    if (available) entries.push_back(entry);
    return answer(available);
  }
  void send(const audit::Entry& entry) override { entries.push_back(entry); }
  [[nodiscard]] async::Task<Result<std::vector<audit::OpenIntent>>> open_intents() override {
    co_return std::vector<audit::OpenIntent>{};
  }
  [[nodiscard]] bool ready() const override { return available; }

  bool available = true;
  std::vector<audit::Entry> entries;

 private:
  static async::Task<Result<void>> answer(bool accepted) {
    if (!accepted) co_return fail({ErrorCode::unavailable, "auditd is not there"});
    co_return Result<void>{};
  }
};

}  // namespace strongroom::connected::relay::testing

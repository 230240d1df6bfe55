// MemoryRecorder: a Recorder that remembers what was recorded. For tests.
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "audit/recorder.h"

namespace strongroom::audit::testing {

class MemoryRecorder final : public Recorder {
 public:
  [[nodiscard]] async::Task<Result<void>> record(const Entry& entry) override {
    return answer(entry);
  }
  void send(const Entry& entry) override { entries.push_back(entry); }
  [[nodiscard]] async::Task<Result<std::vector<OpenIntent>>> open_intents() override {
    co_return open;
  }
  [[nodiscard]] bool ready() const override { return available; }

  bool available = true;            // else record() refuses
  async::Loop* waits_on = nullptr;  // record() answers later, on this loop
  std::vector<Entry> entries;       // recorded and sent
  std::vector<OpenIntent> open;     // of open_intents()

 private:
  async::Task<Result<void>> answer(Entry entry) {
    if (waits_on != nullptr) co_await waits_on->sleep_for(std::chrono::milliseconds(20));
    if (!available) co_return fail({ErrorCode::unavailable, "auditd is not there"});
    entries.push_back(std::move(entry));
    co_return Result<void>{};
  }
};

}  // namespace strongroom::audit::testing

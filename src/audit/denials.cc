// One window per source. A window opens with an entry, counts silently for a minute, and ends with
// an entry of the count (which opens the next one) or, when nothing came, without a trace.
#include "audit/denials.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"

namespace strongroom::audit {
namespace {

constexpr std::chrono::milliseconds kSweepStep{250};
constexpr std::string_view kOthers = "others";  // no source is called so: sources are addresses

}  // namespace

Entry Denials::entry_of(const Denial& denial) {
  Entry entry;
  entry.uid = crypto::new_entry_id(random_, clock_);
  entry.event_type = EventType::access_denied;
  entry.phase = Phase::single;
  entry.outcome = Outcome::denied;
  entry.time_us = clock_.now_us();
  entry.user = denial.user;
  entry.source_ip = denial.source_ip;
  entry.operation = denial.operation;
  entry.merchant_id = denial.merchant_id;
  entry.request_id = denial.request_id;
  return entry;
}

async::Task<Result<void>> Denials::record(Denial denial) {
  if (!denial.user.empty()) {
    const Entry entry = entry_of(denial);
    co_return co_await recorder_.record(entry);
  }
  std::string source = denial.source_ip;
  if (!windows_.contains(source) && windows_.size() >= kDenialSourcesMax) source = kOthers;
  if (const auto window = windows_.find(source); window != windows_.end()) {
    ++window->second.counted;
    window->second.last = std::move(denial);
    co_return Result<void>{};
  }
  Entry entry = entry_of(denial);
  entry.count = 1;
  // Opened before the wait, so that a flood meanwhile is counted already.
  windows_.emplace(source, Window{.begun_us = entry.time_us, .counted = 0, .last = denial});
  const Result<void> written = co_await recorder_.record(entry);
  // What was counted meanwhile was answered as a denial, so it is still to be written.
  const auto window = windows_.find(source);
  if (!written && window != windows_.end() && window->second.counted == 0) windows_.erase(window);
  if (!windows_.empty() && !sweeping_ && !closing_) async::spawn(sweep_until_idle());
  co_return written;
}

async::Task<void> Denials::sweep_until_idle() {
  sweeping_ = true;
  while (!windows_.empty() && !closing_) {
    co_await loop_.sleep_for(kSweepStep);
    co_await write_counted(false);
  }
  sweeping_ = false;
}

// Ends the windows that are a minute old, or all of them. What cannot be written stays counted.
async::Task<void> Denials::write_counted(bool all) {
  std::vector<std::string> due;
  for (const auto& [source, window] : windows_) {
    if (all || clock_.now_us() - window.begun_us >= kDenialWindowUs) due.push_back(source);
  }
  for (const std::string& source : due) {
    const auto found = windows_.find(source);
    if (found == windows_.end()) continue;
    Window ended = std::exchange(found->second, Window{.begun_us = clock_.now_us(), .last = {}});
    if (ended.counted == 0) {
      windows_.erase(found);
      continue;
    }
    Entry entry = entry_of(ended.last);
    entry.count = ended.counted;
    if (source == kOthers) entry.source_ip.clear();
    const Result<void> written = co_await recorder_.record(entry);
    if (written) continue;
    Window& now =
        windows_.try_emplace(source, Window{.begun_us = ended.begun_us, .last = {}}).first->second;
    now.counted += ended.counted;
    now.last = std::move(ended.last);
  }
}

async::Task<void> Denials::close() {
  closing_ = true;
  co_await write_counted(true);
  while (sweeping_) co_await loop_.sleep_for(kSweepStep);
  std::uint64_t lost = 0;
  for (const auto& [source, window] : windows_) lost += window.counted;
  if (lost > 0) log::error("denials are not in the audit log", {{"count", lost}});
}

}  // namespace strongroom::audit

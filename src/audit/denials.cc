// One window per source and user. A window opens with an entry (of a user: a few), counts silently
// for the rest of a minute, and ends with an entry of the count, which opens the next one and is
// all that is written of it, or, when nothing was counted, without a trace.
#include "audit/denials.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"

namespace strongroom::audit {
namespace {

constexpr std::chrono::milliseconds kSweepStep{250};
constexpr std::string_view kOthers = "others";  // no key is: keys hold a blank

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
  const std::size_t written_max = denial.user.empty() ? 1 : kDenialsOfUserMax;
  std::string key = fmt::format("{} {}", denial.source_ip, denial.user);
  if (!windows_.contains(key) && windows_.size() >= kDenialSourcesMax) key = kOthers;
  Window& window = windows_.try_emplace(key, Window{.begun_us = clock_.now_us()}).first->second;
  if (window.written >= written_max) {
    ++window.counted;
    window.last = std::move(denial);
    co_return Result<void>{};
  }
  ++window.written;  // before the wait, so that a flood meanwhile is counted already
  Entry entry = entry_of(denial);
  if (denial.user.empty()) entry.count = 1;
  const Result<void> written = co_await recorder_.record(entry);
  if (!written) take_back(key);
  if (!windows_.empty() && !sweeping_ && !closing_) async::spawn(sweep_until_idle());
  co_return written;
}

// What was counted meanwhile was answered as a denial, so its window stays.
void Denials::take_back(const std::string& key) {
  const auto found = windows_.find(key);
  if (found == windows_.end() || found->second.counted > 0) return;
  if (--found->second.written == 0) windows_.erase(found);
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
  for (const auto& [key, window] : windows_) {
    if (all || clock_.now_us() - window.begun_us >= kDenialWindowUs) due.push_back(key);
  }
  for (const std::string& key : due) {
    const auto found = windows_.find(key);
    if (found == windows_.end()) continue;
    Window ended = std::exchange(found->second,
                                 Window{.begun_us = clock_.now_us(), .written = kDenialsOfUserMax});
    if (ended.counted == 0) {
      windows_.erase(found);
      continue;
    }
    Entry entry = entry_of(ended.last);
    entry.count = ended.counted;
    if (key == kOthers) {
      entry.source_ip.clear();
      entry.user.clear();
      entry.merchant_id.clear();
    }
    const Result<void> written = co_await recorder_.record(entry);
    if (written) continue;
    Window& now =
        windows_.try_emplace(key, Window{.begun_us = ended.begun_us, .written = kDenialsOfUserMax})
            .first->second;
    now.counted += ended.counted;
    now.last = std::move(ended.last);
  }
}

async::Task<void> Denials::close() {
  closing_ = true;
  co_await write_counted(true);
  while (sweeping_) co_await loop_.sleep_for(kSweepStep);
  std::uint64_t lost = 0;
  for (const auto& [key, window] : windows_) lost += window.counted;
  if (lost > 0) log::error("denials are not in the audit log", {{"count", lost}});
}

}  // namespace strongroom::audit

// Auditd: what it tells of itself while it runs.
#include <fmt/core.h>

#include "auditd/auditd.h"
#include "base/encoding.h"
#include "base/log.h"

namespace strongroom::auditd {

using async::Task;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kBeat{50};
constexpr std::chrono::seconds kQuotaMemory{60};
constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr std::int64_t kDayUs = 86'400 * kMicroseconds;
// How old the newest cosignature may be once the operator's log has grown.
constexpr std::int64_t kUnwitnessedMaxS = 3'600;
constexpr std::string_view kRolledBack = "it was rolled back";
constexpr std::string_view kDoubtsBreak = "it tells of a break that is not signed for";

}  // namespace

// What is done regularly is done on one beat, for which an idle auditd wakes once.
Task<void> Auditd::next_beat() {
  co_await loop_.sleep_for(kBeat - steady_clock::now().time_since_epoch() % kBeat);
}

// Beside the signing, which hangs with the disk.
Task<void> Auditd::watch_regularly() {
  while (!draining_) {
    co_await next_beat();
    watch();
    warn_daily();
  }
  --ticking_;
}

// Tells what the writer's thread cannot tell itself.
void Auditd::watch() {
  const bool hangs = writer_->busy_for() > kHangs;
  if (std::exchange(hangs_, hangs) != hangs) intake_->tell_state(hangs);
  failures_->tell("disk", hangs, "the disk does not answer");
  watch_signing();
  failures_->tell("archive", !archiving_works_, "the log is not archived");
  tell_history();
  if (immutable_ && files_.left_mutable() > 0) {
    immutable_ = false;
    immutable_gauge_.set(0);
    failures_->tell("immutable", true, "a closed file could not be made immutable");
  }
  const auto since = steady_clock::now() - kQuotaMemory;
  for (const Writer::AboveQuota& above : writer_->above_quota(since)) {
    failures_->tell(above.control, above.lasts, above.cause);
  }
}

// By how long entries wait, for whatever hangs (a disk, a key, a witness's word that is judged)
// gives no answer that could fail. Nothing is signed of a break in doubt.
void Auditd::watch_signing() {
  const auto now = steady_clock::now();
  const bool waits = !doubts_break_ && (busy_ || writer_->has_grown() || !unsigned_.empty());
  if (!waits) unsigned_since_.reset();
  if (waits && !unsigned_since_) unsigned_since_ = now;
  const auto waited = waits ? now - *unsigned_since_ : steady_clock::duration{};
  unsigned_gauge_.set(std::chrono::duration_cast<std::chrono::seconds>(waited).count());
  signing_hangs_ = waited > options_.unsigned_max;
  signing_gauge_.set(signing() ? 1 : 0);
  failures_->tell("checkpoints", !signing(),
                  signing_hangs_ ? "entries wait for a checkpoint" : "checkpoints are not signed");
}

// Told before the journal refuses entries, so that the one which says so is its last; of a start on
// such a log it waits for the break.
void Auditd::tell_history() {
  failures_->tell(std::string(audit::kHistory), rolled_back_ || doubts_break_,
                  rolled_back_ ? kRolledBack : kDoubtsBreak);
}

std::string_view Auditd::not_ready() const noexcept {
  if (rolled_back_) return kRolledBack;
  if (doubts_break_) return kDoubtsBreak;
  if (hangs_) return "the disk does not answer";
  return writer_->accepting() ? std::string_view() : "the disk takes no entries";
}

std::string Auditd::unwitnessed() const {
  if (!has_witnesses_) return "no witness is set";
  if (!newest_) return fmt::format("unwitnessed since {}", rfc3339(started_us_));
  const bool is_old = clock_.now_us() / kMicroseconds - newest_->time_s > kUnwitnessedMaxS;
  const auto& [log, size] = operators_;
  const bool is_seen = log.empty() || (log == newest_->log && size <= newest_->size);
  if (!is_old || is_seen) return {};
  return fmt::format("unwitnessed since {}", rfc3339(newest_->time_s * kMicroseconds));
}

// A clock that was set back does not silence it.
void Auditd::warn_daily() {
  if (!options_.expects_witness && !has_witnesses_) return;
  const std::int64_t now_us = clock_.now_us();
  if (warned_us_ && now_us >= *warned_us_ && now_us - *warned_us_ < kDayUs) return;
  const std::string why = unwitnessed();
  if (why.empty()) return;
  warned_us_ = now_us;
  log::warn("nobody could tell if the audit log were rolled back", {{"why", why}});
}

}  // namespace strongroom::auditd

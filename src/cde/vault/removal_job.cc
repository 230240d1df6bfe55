// One removal after the other: erasing is rare, and a processor that is slow must not be pressed.
#include "cde/vault/removal_job.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"

namespace strongroom::cde {
namespace {

constexpr int kDoublingsMax = 10;  // kPauseMax is reached before

std::int64_t us(std::chrono::microseconds duration) { return duration.count(); }

}  // namespace

async::Task<void> RemovalJob::run() {
  while (!stopping_) {
    busy_ = true;
    static_cast<void>(co_await run_once());
    busy_ = false;
    co_await parts_.loop.sleep_for(kStep);
  }
}

async::Task<std::size_t> RemovalJob::run_once() {
  const auto due = co_await parts_.store.due(parts_.clock.now_us(), kBatch);
  std::size_t removed = 0;
  if (!due) co_return removed;  // the database comes back, and readiness says that it is away
  for (const Removal& removal : *due) {
    if (stopping_) break;
    const bool gone = co_await remove(removal);
    if (gone) ++removed;
  }
  const auto queued = co_await parts_.store.queued();
  if (queued) parts_.metrics.set_removals_queued(*queued);
  co_return removed;
}

async::Task<bool> RemovalJob::remove(const Removal& removal) {
  const Result<void> removed = co_await parts_.stored_cards.remove(removal.connector, removal.what);
  if (removed) {
    // If this is lost, the removal is repeated, which changes nothing.
    static_cast<void>(co_await parts_.store.drop(removal.id));
    co_return true;
  }
  log::warn(
      "a stored card is not removed at its processor yet",
      {{"connector", removal.connector}, {"tries", removal.tries}, {"error", removed.error()}});
  co_await postpone_or_give_up(removal);
  co_return false;
}

async::Task<void> RemovalJob::postpone_or_give_up(const Removal& removal) {
  const std::int64_t now = parts_.clock.now_us();
  if (now - removal.queued_at_us < us(kGiveUpAfter)) {
    const auto doublings = std::min<std::int64_t>(removal.tries, kDoublingsMax);
    const std::int64_t pause = std::min(us(kPauseFirst) << doublings, us(kPauseMax));
    static_cast<void>(co_await parts_.store.postpone(removal.id, now + pause));
    co_return;
  }
  log::error("a stored card stays at its processor; remove it there by hand",
             {{"connector", removal.connector}});
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.event_type = audit::EventType::processor_token_revoke;
  entry.outcome = audit::Outcome::failed;
  entry.time_us = now;
  entry.operation = "removal";
  entry.connector_id = removal.connector;
  entry.resources = {uuid_text(removal.id.bytes)};
  const Result<void> recorded = co_await parts_.recorder.record(entry);
  if (recorded) static_cast<void>(co_await parts_.store.drop(removal.id));
}

}  // namespace strongroom::cde

// Page by page in the order of expiry. A card that cannot be erased is passed by and tried again in
// the next run, so that it holds up no other.
#include "cde/vault/purge_job.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "base/log.h"

namespace strongroom::cde {
namespace {

std::int64_t us(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

async::Task<void> PurgeJob::run() {
  while (!stopping_) {
    busy_ = true;
    const Report report = co_await run_once();
    busy_ = false;
    co_await parts_.loop.sleep_for(report.complete ? kStep : kRest);
  }
}

bool PurgeJob::clock_jumped() const {
  const std::int64_t wall = parts_.clock.now_us() - began_us_;
  const std::int64_t steady = us(std::chrono::steady_clock::now() - began_);
  return std::abs(wall - steady) > us(kJumpMax);
}

async::Task<PurgeJob::Report> PurgeJob::run_once() {
  Report report;
  if (clock_jumped()) {
    log::warn("the clock has jumped; nothing is purged");
    co_return report;
  }
  const std::int64_t until = parts_.clock.now_us() - us(parts_.after);
  ExpiryMark mark;
  while (!stopping_ && !report.complete) {
    Result<std::vector<CardRow>> cards = co_await parts_.cards.expired(until, mark, kBatch);
    if (!cards) break;  // the database comes back, and readiness says that it is away
    report.complete = cards->empty();
    if (report.complete) break;
    mark = {*cards->back().expires_at_us, cards->back().token_id};
    const std::size_t size = cards->size();
    const std::uint64_t failed = report.failed;
    co_await erase_batch(*std::move(cards), report);
    if (report.failed - failed == size) break;  // what it takes is not there
  }
  if (report.erased > 0) co_await tell(report);
  if (report.failed > 0) {
    report.complete = false;
    log::warn("expired cards could not be erased yet",
              {{"count", static_cast<std::int64_t>(report.failed)}});
  }
  co_return report;
}

async::Task<void> PurgeJob::erase_batch(std::vector<CardRow> cards, Report& report) {
  std::vector<std::int64_t> expiries;
  std::vector<Vault::Doomed> doomed;
  expiries.reserve(cards.size());
  doomed.reserve(cards.size());
  for (CardRow& card : cards) {
    expiries.push_back(*card.expires_at_us);
    doomed.push_back({.card = std::move(card), .by = {}});
  }
  const std::vector<Vault::Fate> fates =
      co_await parts_.vault.erase_all(std::move(doomed), Ending::expired, "purge");
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] == Vault::Fate::failed) ++report.failed;
    if (fates[i] != Vault::Fate::erased) continue;
    if (report.erased++ == 0) report.first_us = expiries[i];
    report.last_us = expiries[i];
  }
}

// The cards' own entries are the proof; this one says in one line what they come to.
async::Task<void> PurgeJob::tell(const Report& report) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.event_type = audit::EventType::token_expire;
  entry.outcome = audit::Outcome::success;
  entry.time_us = parts_.clock.now_us();
  entry.operation = "purge";
  entry.resources = {rfc3339(report.first_us), rfc3339(report.last_us)};
  entry.count = report.erased;
  static_cast<void>(co_await parts_.recorder.record(entry));
}

}  // namespace strongroom::cde

// Ends of cards, for new ones and for those that are there.
#include "cde/vault/retention.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kMillisecondUs = 1000;

std::int64_t end_after(std::int64_t created_at_us, std::chrono::days days) {
  const std::int64_t end = created_at_us + std::chrono::microseconds(days).count();
  return end - end % kMillisecondUs;
}

}  // namespace

std::optional<std::int64_t> Retention::end_of(std::string_view merchant, std::int64_t created_at_us,
                                              std::optional<std::int64_t> asked_us) const {
  const auto own = of_merchant.find(merchant);
  const auto days = own == of_merchant.end() ? of_others : own->second;
  if (!days) return asked_us;
  const std::int64_t end = end_after(created_at_us, *days);
  return asked_us ? std::min(*asked_us, end) : end;
}

async::Task<void> RetentionJob::run() {
  begun_ = true;
  running_ = true;
  bool more = true;
  while (more && !stopping_) {
    busy_ = true;
    const Result<bool> done = co_await step();
    busy_ = false;
    more = !done || *done || next_;
    if (more && done) co_await parts_.loop.sleep_for(kStep);
    if (!done) co_await parts_.loop.sleep_for(kRest);
  }
  running_ = false;
  if (shortened_ > 0) {
    log::info("cards are kept for less", {{"count", static_cast<std::int64_t>(shortened_)}});
  }
}

void RetentionJob::set(Retention retention) {
  next_ = std::move(retention);
  if (begun_ && !running_ && !stopping_) async::spawn(run());
}

async::Task<Result<bool>> RetentionJob::step() {
  if (next_) {
    retention_ = *std::exchange(next_, std::nullopt);
    of_merchant_.clear();
    mark_ = {};
    shortened_ = 0;
  }
  if (retention_.empty()) co_return false;
  SR_CO_CHECK_OK(co_await learn_merchants());
  SR_CO_TRY(const std::vector<CardStore::Life> page, co_await parts_.cards.lives(mark_, kPage));
  if (page.empty()) co_return false;
  std::vector<CardStore::Life> cards = too_long(page);
  if (!cards.empty()) {
    SR_CO_CHECK_OK(co_await shorten(std::move(cards)));
  }
  mark_ = page.back().token_id;
  co_return true;
}

async::Task<Result<void>> RetentionJob::learn_merchants() {
  if (of_merchant_.size() == retention_.of_merchant.size()) co_return Result<void>{};
  for (const auto& [merchant, days] : retention_.of_merchant) {
    SR_CO_TRY(const BlindIndex index, co_await parts_.keys.blind_index(merchant));
    of_merchant_[index] = days;
  }
  co_return Result<void>{};
}

// Of the page, with the ends that they are to have.
std::vector<CardStore::Life> RetentionJob::too_long(
    const std::vector<CardStore::Life>& page) const {
  std::vector<CardStore::Life> cards;
  for (CardStore::Life life : page) {
    const auto own = of_merchant_.find(life.merchant);
    const auto days = own == of_merchant_.end() ? retention_.of_others : own->second;
    if (!days) continue;
    const std::int64_t end = end_after(life.created_at_us, *days);
    if (life.expires_at_us && *life.expires_at_us <= end) continue;
    life.expires_at_us = end;
    cards.push_back(life);
  }
  return cards;
}

async::Task<Result<void>> RetentionJob::shorten(std::vector<CardStore::Life> cards) {
  audit::Entry intent;
  intent.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  intent.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  intent.event_type = audit::EventType::token_update;
  intent.phase = audit::Phase::intent;
  intent.time_us = parts_.clock.now_us();
  intent.operation = kRetentionOperation;
  intent.count = cards.size();
  SR_CO_CHECK_OK(co_await parts_.recorder.record(intent));
  const std::uint64_t count = cards.size();
  const Result<void> written = co_await parts_.cards.shorten(std::move(cards));
  // Where the answer was lost, the page comes again, and what is left of it has an intent anew.
  const bool unknown = !written && written.error().code() == ErrorCode::unknown_outcome;
  const auto outcome = written   ? audit::Outcome::done
                       : unknown ? audit::Outcome::unknown
                                 : audit::Outcome::not_done;
  parts_.recorder.send(audit::outcome_of(
      intent, outcome, crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us()));
  if (written) shortened_ += count;
  co_return written;
}

}  // namespace strongroom::cde

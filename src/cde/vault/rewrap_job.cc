// A page at a time: read, wrapped anew in the HSM, written. With nothing else to do, the next one
// is read and wrapped while the database writes: both of them work. A row's update is guarded by
// the version that was read, so that a page which comes again, late, or at the same time elsewhere,
// loses nothing.
#include "cde/vault/rewrap_job.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "async/when_all.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

using audit::Outcome;
using std::chrono::duration;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kRateOver{5};

// What else is wrong is wrong with the HSM, and may be right when the page comes again.
bool is_of_the_card(const Error& error) {
  return error.code() == ErrorCode::permission_denied || error.code() == ErrorCode::gone ||
         error.code() == ErrorCode::corrupt;
}

}  // namespace

async::Task<void> RewrapJob::run() {
  while (!stopping_) {
    const SteadyTime began = steady_clock::now();
    busy_ = true;
    const Result<bool> more = co_await step();
    busy_ = false;
    std::chrono::nanoseconds pause{0};
    if (!more) {
      log::warn("keys of cards could not be moved yet", {{"error", more.error()}});
      pause = kRest;
    } else if (!*more) {
      pause = failed_ > 0 ? std::chrono::seconds(kRestAfterPass) : kStep;
    } else if (beside_work()) {
      pause = (kParts - 1) * (steady_clock::now() - began);
    }
    if (!stopping_) co_await parts_.loop.sleep_for(pause);
  }
  end_run(Outcome::not_done);
}

void RewrapJob::stop() {
  stopping_ = true;
  if (!busy_) end_run(Outcome::not_done);  // else run() does
}

bool RewrapJob::in_pass(std::int64_t version) const {
  return std::ranges::find(pass_->versions, version) != pass_->versions.end();
}

async::Task<Result<bool>> RewrapJob::step() {
  std::vector<std::uint32_t> versions = parts_.key_keeper.to_empty();
  const bool same = pass_ && std::ranges::includes(versions, pass_->versions);
  if (!same) pass_.reset();  // another vaultd does it now, or has done it
  if (versions.empty()) {
    end_run(Outcome::not_done);
    moved_ = failed_ = total_ = 0;
    counted_to_ = TokenId{};
    co_return false;
  }
  if (counted_to_) {
    SR_CO_CHECK_OK(co_await count_more());
    co_return true;
  }
  if (!pass_) {
    SR_CO_CHECK_OK(co_await begin_pass(std::move(versions)));
  }
  std::optional<Page> page = std::exchange(pass_->next, std::nullopt);
  if (!page) {
    SR_CO_TRY(page, co_await wrap_page(pass_->mark));
  }
  const bool ahead = page->read.more && !beside_work();
  Result<void> written;
  Result<Page> next = Page{};
  if (ahead) {
    co_await write_and_wrap_ahead(*page, written, next);
  } else {
    written = co_await write(*page);
  }
  SR_CO_CHECK_OK(written);
  pass_->mark = page->read.last;
  pass_->rows += static_cast<std::uint64_t>(page->read.rows);
  if (!page->read.more) co_return co_await end_pass();
  note_rate();
  if (ahead) {
    SR_CO_TRY(pass_->next, std::move(next));
  }
  co_return true;
}

async::Task<Result<void>> RewrapJob::count_more() {
  SR_CO_TRY(counted_to_, co_await parts_.cards.id_at(kCountedAtOnce, *counted_to_));
  if (counted_to_) total_ += kCountedAtOnce;
  co_return Result<void>{};
}

async::Task<Result<void>> RewrapJob::begin_pass(std::vector<std::uint32_t> versions) {
  SR_CO_TRY(const std::optional<TokenId> last, co_await parts_.cards.last_id());
  pass_ = Pass{.versions = std::move(versions), .last = last.value_or(TokenId{})};
  rate_since_ = {};
  co_return Result<void>{};
}

async::Task<Result<RewrapJob::Page>> RewrapJob::wrap_page(TokenId after) {
  const CardStore::OldDeksAsked asked{.after = after,
                                      .last = pass_->last,
                                      .version_max = pass_->versions.back(),
                                      .rows_max = kRowsMax,
                                      .deks_max = beside_work() ? kDeksMaxBesideWork : kDeksMax};
  Page page;
  SR_CO_TRY(page.read, co_await parts_.cards.old_deks(asked));
  SR_CO_CHECK_OK(co_await wrap_all(page));
  co_return page;
}

// In slices, between which the Loop does what else there is.
async::Task<Result<void>> RewrapJob::wrap_all(Page& page) {
  std::vector<const CardStore::OldDek*> whole;
  std::vector<WrappedDek> wrapped;
  for (const CardStore::OldDek& dek : page.read.deks) {
    if (dek.wrapped) {
      whole.push_back(&dek);
      wrapped.push_back({dek.token, *dek.wrapped});
    } else {
      page.failed.push_back(&dek);
    }
  }
  page.moved.reserve(whole.size());
  for (std::size_t at = 0; at < whole.size(); at += kSlice) {
    const std::size_t count = std::min(kSlice, whole.size() - at);
    SR_CO_TRY(std::vector<Result<crypto::Sealed>> slice,
              co_await parts_.keys.rewrap(std::span(wrapped).subspan(at, count)));
    for (std::size_t i = 0; i < count; ++i) {
      const CardStore::OldDek& old = *whole[at + i];
      if (slice[i]) {
        page.moved.push_back({old.token, old.version, *std::move(slice[i])});
      } else if (is_of_the_card(slice[i].error())) {
        page.failed.push_back(&old);
      } else {
        co_return fail(slice[i].error());
      }
    }
    co_await parts_.loop.sleep_for(std::chrono::nanoseconds(0));
  }
  co_return Result<void>{};
}

async::Task<Result<void>> RewrapJob::write(Page& page) {
  if (!page.moved.empty()) {
    SR_CO_CHECK_OK(co_await begin_run());
    SR_CO_TRY(const std::size_t moved, co_await parts_.cards.move_deks(std::move(page.moved)));
    moved_ += moved;
    moved_of_intent_ += moved;
    parts_.metrics.count_moved_deks(moved);
  }
  for (const CardStore::OldDek& dek : page.read.deks) {
    if (in_pass(dek.version)) ++pass_->found;
  }
  note_failed(page.failed);
  co_return Result<void>{};
}

async::Task<void> RewrapJob::write_and_wrap_ahead(Page& page, Result<void>& written,
                                                  Result<Page>& next) {
  const auto write_it = [&]() -> async::Task<void> { written = co_await write(page); };
  const auto wrap_it = [&]() -> async::Task<void> { next = co_await wrap_page(page.read.last); };
  std::vector<async::Task<void>> both;
  both.push_back(write_it());
  both.push_back(wrap_it());
  co_await async::when_all(std::move(both));
}

// What is under a version that was destroyed, or that nobody knows, cannot be moved, and keeps none
// of the others.
void RewrapJob::note_failed(const std::vector<const CardStore::OldDek*>& failed) {
  for (const CardStore::OldDek* dek : failed) {
    if (!in_pass(dek->version) || pass_->failed++ >= kToldMax) continue;
    log::warn("a card's key does not open: it was tampered with, or its key in the HSM is gone",
              {{"token_id", uuid_text(dek->token.bytes)}, {"version", dek->version}});
  }
}

audit::Entry RewrapJob::entry(const std::vector<std::uint32_t>& versions) const {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  entry.event_type = audit::EventType::key_rewrap;
  entry.time_us = parts_.clock.now_us();
  entry.operation = kKeysOperation;
  for (const std::uint32_t version : versions) {
    entry.resources.push_back(key_label(KeyName::pan_encryption, version));
  }
  return entry;
}

async::Task<Result<void>> RewrapJob::begin_run() {
  if (intent_) co_return Result<void>{};
  audit::Entry intent = entry(pass_->versions);
  intent.phase = audit::Phase::intent;
  intent.resources.push_back(key_label(KeyName::pan_encryption, parts_.keys.encryption_version()));
  SR_CO_CHECK_OK(co_await parts_.recorder.record(intent));
  moved_of_intent_ = 0;
  intent_ = std::move(intent);
  co_return Result<void>{};
}

void RewrapJob::end_run(Outcome outcome) {
  if (!intent_) return;
  audit::Entry entry =
      audit::outcome_of(*std::exchange(intent_, std::nullopt), outcome,
                        crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us());
  entry.count = moved_of_intent_;
  parts_.recorder.send(entry);
}

async::Task<Result<bool>> RewrapJob::end_pass() {
  failed_ = pass_->failed;
  parts_.metrics.set_unmoved_deks(static_cast<std::int64_t>(failed_));
  if (failed_ > 0) {
    log::warn("keys of cards do not open, and the old key cannot go",
              {{"count", static_cast<std::int64_t>(failed_)}});
    end_run(Outcome::not_done);
    pass_.reset();
    co_return false;
  }
  if (pass_->found > 0) {
    total_ = pass_->rows;
    pass_.reset();
    co_return true;  // only one that finds nothing counts
  }
  SR_CO_CHECK_OK(co_await tell_emptied());
  pass_.reset();
  co_return false;
}

async::Task<Result<void>> RewrapJob::tell_emptied() {
  end_run(Outcome::done);
  if (!pass_->told) {
    audit::Entry single = entry(pass_->versions);
    single.outcome = Outcome::success;
    single.count = 0;
    SR_CO_CHECK_OK(co_await parts_.recorder.record(single));
    pass_->told = true;
  }
  SR_CO_CHECK_OK(co_await parts_.key_keeper.note_emptied(pass_->versions));
  log::info("no card is under the old key any more", {{"moved", moved_}});
  co_return Result<void>{};
}

// Whether a request came of late, or may have come elsewhere.
bool RewrapJob::beside_work() {
  const SteadyTime now = steady_clock::now();
  const std::uint64_t requests = parts_.metrics.requests();
  if (std::exchange(requests_seen_, requests) != requests) request_at_ = now;
  return now < request_at_ + kQuiet || parts_.key_keeper.instances().size() > 1;
}

void RewrapJob::note_rate() {
  const SteadyTime now = steady_clock::now();
  const bool first = rate_since_ == SteadyTime{};
  if (!first && now < rate_since_ + kRateOver) return;
  const double seconds = duration<double>(now - rate_since_).count();
  if (!first) per_second_ = static_cast<double>(pass_->rows - rate_from_) / seconds;
  rate_since_ = now;
  rate_from_ = pass_->rows;
}

RewrapJob::Progress RewrapJob::progress() const {
  Progress progress{.versions = parts_.key_keeper.to_empty(), .moved = moved_, .failed = failed_};
  if (!pass_ || progress.versions.empty()) return progress;
  progress.done = pass_->rows;
  progress.total = std::max(total_, pass_->rows);
  progress.per_second = per_second_;
  if (per_second_ > 0) {
    const auto left = static_cast<double>(progress.total - progress.done) / per_second_;
    progress.left = std::chrono::seconds(static_cast<std::int64_t>(left));
  }
  return progress;
}

}  // namespace strongroom::cde

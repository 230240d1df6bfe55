// When a version is due is asked of the cards' tombstones; what may be done, of KeyKeeper.
#include "cde/vault/erasure_job.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

using std::chrono::steady_clock;

constexpr KeyName kKek = KeyName::pan_encryption;

std::int64_t us(std::chrono::hours duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

// Another change of the keys at the same moment, or a rotation that is under way: it passes.
bool passes(const Error& error) {
  return error.code() == ErrorCode::conflict || error.code() == ErrorCode::exhausted;
}

}  // namespace

async::Task<void> ErasureJob::run() {
  while (!stopping_) {
    busy_ = true;
    const Result<void> done = co_await step();
    busy_ = false;
    if (!done && !passes(done.error())) {
      log::warn("old keys could not be brought to their end", {{"error", done.error()}});
    }
    co_await parts_.loop.sleep_for(kStep);
  }
}

async::Task<Result<void>> ErasureJob::step() {
  if (!parts_.key_keeper.leads()) {
    due_.clear();
    late_ = 0;
    parts_.metrics.set_keys_late(0);
    co_return Result<void>{};
  }
  std::vector<Due> due;
  std::optional<RegisteredKey> active;
  const std::vector<RegisteredKey> keys = parts_.key_keeper.records().keys;
  for (const RegisteredKey& key : keys) {
    if (key.name != kKek || key.state == KeyState::destroyed) continue;
    SR_CO_TRY(const std::optional<Due> one, co_await due_of(key));
    if (!one) continue;
    due.push_back(*one);
    if (key.state == KeyState::active) active = key;
  }
  due_ = std::move(due);
  tell_late();
  if (active) {
    SR_CO_CHECK_OK(co_await rotate_in_time(*active));
  }
  co_return co_await end_what_may();
}

// One that never was active has protected nothing, and is got rid of with the others where it is
// not trusted.
async::Task<Result<std::optional<ErasureJob::Due>>> ErasureJob::due_of(RegisteredKey key) {
  if (!key.activated_at_us) co_return std::optional<Due>();
  SR_CO_TRY(const std::optional<std::int64_t> first,
            co_await parts_.cards.first_erasure_since(*key.activated_at_us));
  if (!first) co_return std::optional<Due>();
  co_return Due{key.version, *first + us(parts_.within)};
}

async::Task<Result<void>> ErasureJob::rotate_in_time(RegisteredKey active) {
  const auto due = std::ranges::find(due_, active.version, &Due::version);
  if (parts_.clock.now_us() < due->at_us - us(parts_.within) / 2) co_return Result<void>{};
  if (steady_clock::now() < rotate_after_) co_return Result<void>{};
  rotate_after_ = steady_clock::now() + kRotateAgain;
  const auto begun = co_await parts_.key_keeper.rotate(kKek, {});
  if (!begun && !passes(begun.error())) co_return fail(begun.error());
  if (begun) {
    log::info("a new key is made, so that deleted cards are gone in time",
              {{"old", active.label()}, {"new", begun->label()}});
  }
  co_return Result<void>{};
}

async::Task<Result<void>> ErasureJob::end_what_may() {
  for (const Due& one : due_) {
    const RegisteredKey* const key = parts_.key_keeper.records().find(kKek, one.version);
    if (key == nullptr || protects_new(key->state) || !is_open(key->state)) continue;
    if (!key->emptied_at_us) continue;
    const auto begun = co_await parts_.key_keeper.destroy(kKek, one.version, {});
    if (!begun && !passes(begun.error())) co_return fail(begun.error());
  }
  co_return Result<void>{};
}

void ErasureJob::tell_late() {
  const std::int64_t now = parts_.clock.now_us();
  late_ = static_cast<std::size_t>(
      std::ranges::count_if(due_, [now](const Due& one) { return one.at_us < now; }));
  parts_.metrics.set_keys_late(static_cast<std::int64_t>(late_));
  if (late_ == 0) {
    told_late_.reset();
    return;
  }
  const auto steady_now = steady_clock::now();
  if (told_late_ && steady_now < *told_late_ + kTellAgain) return;
  told_late_ = steady_now;
  for (const Due& one : due_) {
    if (one.at_us >= now) continue;
    log::warn(
        "deleted cards may be in copies of the database still, as their key is not destroyed"
        " within erase_within_days: strongroom keys show tells why",
        {{"key", key_label(kKek, one.version)}, {"due", rfc3339(one.at_us)}});
  }
}

}  // namespace strongroom::cde

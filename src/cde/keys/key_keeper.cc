// Each step reads what the registry says and does the next thing; nothing is remembered that a
// vaultd which is started anew could not see.
#include "cde/keys/key_keeper.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using std::chrono::steady_clock;

// Uses of these are counted; those of the registry's own key are its revisions.
constexpr std::array kCounted{KeyName::pan_encryption, KeyName::pan_fingerprint,
                              KeyName::blind_index};
constexpr int kStartTries = 5;  // of vaultd that start at once, one registers and the others read

constexpr Error kOtherKey{ErrorCode::conflict,
                          "the HSM's key is not the one that the database was begun with: this is"
                          " another token"};
constexpr Error kEmptied{ErrorCode::conflict,
                         "the database's key registry is empty, but the HSM has later versions of"
                         " its keys: this is an older copy of the database, or another one"};

// These alone stop encryption: what else is wrong with what is read is not somebody's hand.
bool is_altered(const Error& error) {
  return error.what() == kRegistryAltered.what() || error.what() == kRegistryOlder.what();
}

}  // namespace

bool KeyKeeper::counts_uses_of(KeyName name) noexcept {
  return std::ranges::find(kCounted, name) != kCounted.end();
}

KeyKeeper::KeyKeeper(Parts parts)
    : parts_(std::move(parts)),
      registry_(parts_.database, parts_.keys),
      instances_(parts_.database) {}

async::Task<Result<void>> KeyKeeper::start() {
  Result<void> done;
  for (int tries = 0; tries < kStartTries; ++tries) {
    SR_CO_TRY(KeyRecords records, co_await registry_.read());
    if (records.revision == 0) {
      SR_CO_TRY(KeyRecords first, co_await first_records());
      auto written = co_await registry_.write(std::move(first));
      if (!written && written.error().code() == ErrorCode::conflict) continue;
      if (!written) co_return fail(written.error());
      records = *std::move(written);
    }
    SR_CO_CHECK_OK(co_await take(std::move(records)));
    done = co_await reserve();
    if (done || done.error().code() != ErrorCode::conflict) break;
  }
  SR_CO_CHECK_OK(done);
  co_return co_await beat(records_.revision);
}

// Version 1 of each, as `vaultd --init` has made it.
async::Task<Result<KeyRecords>> KeyKeeper::first_records() {
  KeyRecords records;
  const std::int64_t now = parts_.clock.now_us();
  for (const KeyName name : kKeyNames) {
    SR_CO_TRY(const std::vector<std::uint32_t> versions, co_await parts_.keys.versions(name));
    if (!versions.empty() && versions.back() > 1) co_return fail(kEmptied);
    SR_CO_TRY(const KeyCheckValue check_value, co_await parts_.keys.check_value(name, 1));
    SR_CO_TRY(const std::string former, co_await registry_.former_check_value(name));
    if (!former.empty() && former != hex(check_value)) co_return fail(kOtherKey);
    records.put({.name = name,
                 .version = 1,
                 .check_value = check_value,
                 .state = KeyState::active,
                 .created_at_us = now,
                 .activated_at_us = now,
                 .state_since_us = now,
                 .cryptoperiod_us = kind_of(name).cryptoperiod_us});
  }
  co_return records;
}

async::Task<void> KeyKeeper::run() {
  while (!stopping_) {
    busy_ = true;
    const Result<void> done = co_await step();
    busy_ = false;
    // A conflict is another vaultd's change at the same moment: the next step sees it.
    if (!done && done.error().code() != ErrorCode::conflict) {
      log::warn("the keys could not be kept in step with their registry",
                {{"error", done.error()}});
    }
    co_await parts_.loop.sleep_for(kStep);
  }
}

async::Task<Result<void>> KeyKeeper::step() {
  if (changing_) co_return Result<void>{};
  const Turn turn(changing_);
  const Result<void> done = co_await take_step();
  note(done);
  co_return done;
}

// It lives, whatever it lacks; but it says that it has a revision only with what that takes.
async::Task<Result<void>> KeyKeeper::take_step() {
  Result<void> ready = co_await follow();
  if (ready) ready = co_await reserve();
  if (ready) ready = co_await parts_.keys.give_up();
  SR_CO_CHECK_OK(co_await beat(ready ? records_.revision : told_revision_));
  SR_CO_CHECK_OK(ready);
  co_await settle();
  SR_CO_CHECK_OK(co_await watch_others());
  if (!leads_) co_return Result<void>{};
  const Result<void> advanced = co_await advance();
  const Result<void> allowed = co_await allow_emptying();
  co_await destroy_withdrawn();
  for (const Result<void>* one : {&advanced, &allowed}) {
    if (*one || one->error().code() == ErrorCode::conflict) continue;
    log::warn("the keys could not be taken a step further", {{"error", one->error()}});
  }
  co_return Result<void>{};
}

// A neighbor that is absent, or another vaultd's change at the same moment, passes: what stood
// before does so still.
void KeyKeeper::note(const Result<void>& step) {
  if (step) {
    trouble_.reset();
  } else {
    switch (step.error().code()) {
      case ErrorCode::unavailable:
      case ErrorCode::exhausted:
      case ErrorCode::unknown_outcome:
      case ErrorCode::conflict:
        return;
      default:
        trouble_ = step.error();
    }
  }
  parts_.keys.hold(trouble_ && is_altered(*trouble_));
}

async::Task<Result<void>> KeyKeeper::take(KeyRecords records) {
  SR_CO_CHECK_OK(co_await parts_.keys.open(records));
  if (records.kek_floor != records_.kek_floor || records_.revision == 0) {
    floor_read_at_ = steady_clock::now();
    nothing_comes_below_ = may_empty_ = false;
  }
  records_ = std::move(records);
  static_cast<void>(co_await parts_.keys.give_up());  // the next step says what is left
  co_return Result<void>{};
}

async::Task<Result<void>> KeyKeeper::follow() {
  SR_CO_TRY(const std::int64_t revision, co_await registry_.revision());
  const SteadyTime now = steady_clock::now();
  const bool recent = !trouble_ && now < read_at_ + parts_.waits.read_again;
  if (revision == records_.revision && recent) co_return Result<void>{};
  SR_CO_TRY(KeyRecords records, co_await registry_.read());
  if (records.revision < records_.revision) co_return fail(kRegistryOlder);
  read_at_ = now;
  if (records.revision == records_.revision) co_return Result<void>{};
  co_return co_await take(std::move(records));
}

async::Task<Result<void>> KeyKeeper::write(KeyRecords next, std::vector<storage::Statement> also) {
  // Else it would write over what somebody has put there, and nobody would know.
  SR_CO_TRY(const KeyRecords now, co_await registry_.read());
  if (now.revision != next.revision) co_return fail(kRegistryMovedOn);
  SR_CO_TRY(KeyRecords written, co_await registry_.write(std::move(next), std::move(also)));
  co_return co_await take(std::move(written));
}

// Of what may protect something new, so that uses of a version are there when it becomes active.
// Where the KEK comes to its end, nothing is reserved: then nothing is encrypted any more.
async::Task<Result<void>> KeyKeeper::reserve() {
  std::vector<RegisteredKey> low;
  std::vector<std::string> labels;
  for (const RegisteredKey& key : records_.keys) {
    if (!protects_new(key.state) || !counts_uses_of(key.name)) continue;
    if (key.name == KeyName::pan_encryption && key.uses >= kUsesMax) continue;
    if (parts_.keys.uses_left(key.name, key.version) >= kBlock / 2) continue;
    low.push_back(key);
    labels.push_back(key.label());
  }
  if (low.empty()) co_return Result<void>{};
  KeyRecords next = records_;
  for (RegisteredKey key : low) {
    key.uses += kBlock;
    next.put(key);
  }
  audit::Entry single = entry(EventType::key_reserve, std::move(labels));
  single.outcome = Outcome::success;
  single.count = kBlock;
  SR_CO_CHECK_OK(co_await parts_.recorder.record(single));
  SR_CO_CHECK_OK(co_await write(std::move(next)));
  for (const RegisteredKey& key : low) parts_.keys.add_uses(key.name, key.version, kBlock);
  co_return Result<void>{};
}

async::Task<Result<void>> KeyKeeper::beat(std::int64_t revision) {
  const SteadyTime now = steady_clock::now();
  if (told_revision_ == revision && now < told_at_ + parts_.waits.beat) co_return Result<void>{};
  SR_CO_CHECK_OK(co_await instances_.beat(parts_.instance, revision));
  told_revision_ = revision;
  told_at_ = now;
  co_return Result<void>{};
}

async::Task<void> KeyKeeper::leave() {
  static_cast<void>(co_await instances_.leave(parts_.instance));
}

// One that is seen for the first time is taken for alive. The first by name of those that live acts
// for all; two that take themselves for it at once exclude each other by the registry's revision.
async::Task<Result<void>> KeyKeeper::watch_others() {
  SR_CO_TRY(std::vector<VaultInstances::Instance> all, co_await instances_.all());
  const SteadyTime now = steady_clock::now();
  std::map<std::string, Watched> watched;
  live_.clear();
  for (VaultInstances::Instance& one : all) {
    const auto before = watched_.find(one.name);
    const bool same = before != watched_.end() && before->second.beats == one.beats;
    const SteadyTime changed = same ? before->second.changed : now;
    watched.emplace(one.name, Watched{one.beats, one.revision, changed});
    if (one.name == parts_.instance || now - changed < parts_.waits.dead_after)
      live_.push_back(std::move(one));
  }
  watched_ = std::move(watched);
  leads_ = !live_.empty() && live_.front().name == parts_.instance;
  co_return Result<void>{};
}

// The registry's writes name no operation: what an intent was to bring about stands there or not.
async::Task<Result<Outcome>> KeyKeeper::outcome_of(const audit::Entry& intent) {
  if (intent.event_type == EventType::key_ledger) co_return co_await outcome_of_note(intent);
  SR_CO_TRY(const KeyRecords records, co_await registry_.read());
  const std::string label = intent.resources.empty() ? std::string() : intent.resources.front();
  const auto key = std::ranges::find(records.keys, label, &RegisteredKey::label);
  if (key == records.keys.end()) co_return Outcome::not_done;
  bool done = intent.event_type == EventType::key_generate;
  if (intent.event_type == EventType::key_activate) done = key->state != KeyState::pre_active;
  if (intent.event_type == EventType::key_retire) done = key->version < records.kek_floor;
  if (intent.event_type == EventType::key_rewrap) done = key->emptied_at_us.has_value();
  if (intent.event_type == EventType::key_compromise) {
    done = key->state == KeyState::compromised || !is_open(key->state);
  }
  if (intent.event_type == EventType::key_withdraw) done = !is_open(key->state);
  if (intent.event_type == EventType::key_destroy) {
    SR_CO_TRY(const auto there, co_await parts_.keys.versions(key->name));
    done = !std::ranges::binary_search(there, key->version);
  }
  co_return done ? Outcome::done : Outcome::not_done;
}

async::Task<Result<HsmDescription>> KeyKeeper::describe_hsm() { return parts_.keys.describe(); }

audit::Entry KeyKeeper::entry(EventType type, std::vector<std::string> labels) const {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.operation_id = crypto::new_operation_id(parts_.random, parts_.clock);
  entry.event_type = type;
  entry.time_us = parts_.clock.now_us();
  entry.operation = kKeysOperation;
  entry.resources = std::move(labels);
  return entry;
}

async::Task<Result<void>> KeyKeeper::act(audit::Entry intent, KeyRecords next,
                                         std::vector<storage::Statement> also) {
  intent.phase = Phase::intent;
  SR_CO_CHECK_OK(co_await parts_.recorder.record(intent));
  const Result<void> written = co_await write(std::move(next), std::move(also));
  co_await conclude(intent, written);
  co_return written;
}

// A write that another vaultd's came before did nothing; of what else failed the registry tells,
// and of a lost answer not before nothing can commit any more.
async::Task<void> KeyKeeper::conclude(const audit::Entry& intent, const Result<void>& done) {
  const ErrorCode code = done ? ErrorCode::conflict : done.error().code();
  if (done || code == ErrorCode::conflict) {
    send_outcome(intent, done ? Outcome::done : Outcome::not_done);
    co_return;
  }
  if (code != ErrorCode::unknown_outcome) {
    const Result<Outcome> outcome = co_await outcome_of(intent);
    if (outcome) {
      send_outcome(intent, *outcome);
      co_return;
    }
  }
  unsettled_.push_back({intent, steady_clock::now()});
}

async::Task<void> KeyKeeper::settle() {
  if (unsettled_.empty()) co_return;
  if (steady_clock::now() < unsettled_.back().since + parts_.waits.begun_ends) co_return;
  const auto open = co_await parts_.database.has_open_for(parts_.waits.begun_ends / 2);
  if (!open || *open) co_return;
  while (!unsettled_.empty()) {
    const audit::Entry intent = unsettled_.back().intent;
    const Result<Outcome> outcome = co_await outcome_of(intent);
    if (!outcome) co_return;
    send_outcome(intent, *outcome);
    unsettled_.pop_back();
  }
}

void KeyKeeper::send_outcome(const audit::Entry& intent, Outcome outcome) {
  parts_.recorder.send(audit::outcome_of(
      intent, outcome, crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us()));
}

}  // namespace strongroom::cde

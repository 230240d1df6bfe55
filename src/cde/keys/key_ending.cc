// The end of a version: what hinders it, and its way out of the registry and the HSM. The order
// leaves no state between that nobody can go on from: first the registry says `withdrawn`, which
// every vaultd follows and none undoes; then the HSM's object goes; then the registry says so.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "cde/keys/key_keeper.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Phase;

constexpr int kTries = 5;  // beside the changes of others, which come at any time
constexpr Error kBusy{ErrorCode::exhausted, "another change of the keys is under way"};
constexpr Error kNoVersion{ErrorCode::not_found,
                           "that key has no such version: see strongroom keys list"};
constexpr Error kRotateFirst{ErrorCode::conflict,
                             "it is active, and what is new would have no key: rotate first"};
constexpr Error kWithdrawn{ErrorCode::conflict, "it is withdrawn or destroyed already"};
constexpr Error kOtherKey{ErrorCode::permission_denied,
                          "the HSM has another key under that name than was registered, and it is"
                          " not destroyed"};

}  // namespace

std::vector<Hindrance> hindrances_of(const RegisteredKey& key, const BackupLedger& ledger,
                                     const std::vector<std::string>& silent) {
  using Kind = Hindrance::Kind;
  if (protects_new(key.state)) return {{Kind::in_use}};
  std::vector<Hindrance> all;
  if (!key.emptied_at_us) all.push_back({Kind::stands});
  if (!ledger.has_data_without(key)) all.push_back({Kind::no_backup});
  if (!ledger.knows_copies_of(key)) all.push_back({Kind::no_copy});
  for (const KnownBackup& backup : ledger.that_give_back(key)) {
    all.push_back({Kind::key_backup, backup.id});
  }
  for (const std::string& name : silent) all.push_back({Kind::other_vaultd, name});
  return all;
}

std::vector<std::string> KeyKeeper::silent() const {
  std::vector<std::string> names;
  for (const auto& [name, watched] : watched_) {
    const bool lives =
        std::ranges::find(live_, name, &VaultInstances::Instance::name) != live_.end();
    if (!lives) names.push_back(name);
  }
  return names;
}

// Also of those that are silent: one that is frozen has its copy still.
std::vector<std::string> KeyKeeper::without(std::int64_t revision) const {
  std::vector<std::string> names;
  for (const auto& [name, watched] : watched_) {
    if (watched.revision < revision) names.push_back(name);
  }
  return names;
}

async::Task<Result<std::vector<Hindrance>>> KeyKeeper::hindrances(KeyName name,
                                                                  std::uint32_t version) {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  SR_CO_TRY(const BackupLedger ledger, co_await latest_ledger());
  const RegisteredKey* const key = records_.find(name, version);
  if (key == nullptr) co_return fail(kNoVersion);
  co_return hindrances_now(*key, ledger);
}

std::vector<Hindrance> KeyKeeper::hindrances_now(const RegisteredKey& key,
                                                 const BackupLedger& ledger) const {
  if (key.state == KeyState::destroyed) return {};
  if (key.state != KeyState::withdrawn) return hindrances_of(key, ledger, silent());
  std::vector<Hindrance> left;
  for (const KnownBackup& backup : ledger.that_give_back(key)) {
    left.push_back({Hindrance::Kind::key_backup, backup.id});
  }
  for (const std::string& name : without(key.state_revision)) {
    left.push_back({Hindrance::Kind::other_vaultd, name});
  }
  if (not_destroyed_.contains(key.label())) left.push_back({Hindrance::Kind::hsm});
  return left;
}

async::Task<Result<RegisteredKey>> KeyKeeper::mark_compromised(KeyName name, std::uint32_t version,
                                                               std::string user) {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  Result<void> marked;
  for (int tries = 0; tries < kTries; ++tries) {
    SR_CO_CHECK_OK(co_await follow());
    const RegisteredKey* const known = records_.find(name, version);
    if (known == nullptr) co_return fail(kNoVersion);
    RegisteredKey key = *known;
    if (key.state == KeyState::compromised) co_return key;
    if (key.state == KeyState::active) co_return fail(kRotateFirst);
    if (!is_open(key.state)) co_return fail(kWithdrawn);
    key.state = KeyState::compromised;
    key.state_since_us = parts_.clock.now_us();
    KeyRecords next = records_;
    next.put(key);
    audit::Entry intent = entry(EventType::key_compromise, {key.label()});
    intent.user = user;
    marked = co_await act(std::move(intent), std::move(next));
    if (marked || marked.error().code() != ErrorCode::conflict) break;
  }
  SR_CO_CHECK_OK(marked);
  co_return *records_.find(name, version);
}

async::Task<Result<KeyKeeper::Destruction>> KeyKeeper::destroy(KeyName name, std::uint32_t version,
                                                               std::string user) {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  co_return co_await withdraw(name, version, user);
}

// Two operators' signed approvals could stand in for Hindrance::Kind::stands, and for nothing else:
// this is the place where they would be asked for.
async::Task<Result<KeyKeeper::Destruction>> KeyKeeper::withdraw(KeyName name, std::uint32_t version,
                                                                const std::string& user) {
  Result<void> withdrawn;
  for (int tries = 0; tries < kTries; ++tries) {
    SR_CO_TRY(const BackupLedger ledger, co_await latest_ledger());
    const RegisteredKey* const known = records_.find(name, version);
    if (known == nullptr) co_return fail(kNoVersion);
    RegisteredKey key = *known;
    if (!is_open(key.state)) co_return Destruction{key, {}};
    std::vector<Hindrance> hindrances = hindrances_now(key, ledger);
    if (!hindrances.empty()) co_return Destruction{key, std::move(hindrances)};
    key.state = KeyState::withdrawn;
    key.state_since_us = parts_.clock.now_us();
    KeyRecords next = records_;
    next.put(key);
    audit::Entry intent = entry(EventType::key_withdraw, {key.label()});
    intent.user = user;
    withdrawn = co_await act(std::move(intent), std::move(next));
    if (withdrawn || withdrawn.error().code() != ErrorCode::conflict) break;
  }
  SR_CO_CHECK_OK(withdrawn);
  co_return Destruction{*records_.find(name, version), {}};
}

// The leading vaultd's part. One that fails leaves the others as they are, and is tried again
// later: each try stands in the log.
async::Task<void> KeyKeeper::destroy_withdrawn() {
  const std::vector<RegisteredKey> keys = records_.keys;
  for (const RegisteredKey& key : keys) {
    if (key.state != KeyState::withdrawn || !without(key.state_revision).empty()) continue;
    const auto before = not_destroyed_.find(key.label());
    const SteadyTime now = std::chrono::steady_clock::now();
    if (before != not_destroyed_.end() && now < before->second) continue;
    const Result<void> done = co_await destroy_in_hsm(key);
    not_destroyed_.erase(key.label());
    if (done || done.error().code() == ErrorCode::conflict) continue;
    not_destroyed_.emplace(key.label(), now + parts_.waits.destroy_again);
    log::warn("a key that is withdrawn could not be destroyed",
              {{"key", key.label()}, {"error", done.error()}});
  }
}

async::Task<Result<void>> KeyKeeper::destroy_in_hsm(RegisteredKey key) {
  // A copy that was begun meanwhile would give it back.
  SR_CO_TRY(const BackupLedger ledger, co_await registry_.read_ledger(records_));
  if (!ledger.that_give_back(key).empty()) co_return Result<void>{};
  const auto there = co_await parts_.keys.check_value(key.name, key.version);
  const bool gone = !there && there.error().code() == ErrorCode::not_found;
  if (!there && !gone) co_return fail(there.error());
  if (there && *there != key.check_value) co_return fail(kOtherKey);
  audit::Entry intent = entry(EventType::key_destroy, {key.label()});
  intent.phase = Phase::intent;
  SR_CO_CHECK_OK(co_await parts_.recorder.record(intent));
  Result<void> done = co_await parts_.keys.destroy(key.name, key.version);
  if (done) {
    key.state = KeyState::destroyed;
    key.state_since_us = parts_.clock.now_us();
    KeyRecords next = records_;
    next.put(key);
    done = co_await write(std::move(next));
  }
  // What the HSM has lost is destroyed, also where the registry does not say so yet.
  const Result<audit::Outcome> outcome = co_await outcome_of(intent);
  if (outcome) {
    send_outcome(intent, *outcome);
  } else {
    unsettled_.push_back({intent, std::chrono::steady_clock::now()});
  }
  if (done) log::info("a key is destroyed", {{"key", key.label()}});
  co_return done;
}

}  // namespace strongroom::cde

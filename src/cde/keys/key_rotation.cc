// How a version comes into use and goes out of it: the leading vaultd's part, and the operator's.
#include <algorithm>
#include <utility>

#include "base/try.h"
#include "cde/keys/key_keeper.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Phase;
using std::chrono::steady_clock;

constexpr int kRegisterTries = 5;
constexpr int kTurnTries = 500;
constexpr std::chrono::milliseconds kTurnStep{10};

constexpr Error kNotRotatable{ErrorCode::invalid_argument,
                              "only pan-encryption can be rotated yet"};
constexpr Error kUnderWay{ErrorCode::conflict, "a rotation of this key is under way"};
constexpr Error kBusy{ErrorCode::exhausted, "another change of the keys is under way"};
constexpr Error kStillActive{ErrorCode::conflict, "an active version cannot be emptied"};
constexpr Error kNotOnToken{ErrorCode::not_found,
                            "the new version of the key is not in the HSM as it was made"};

}  // namespace

bool KeyKeeper::all_have(std::int64_t revision) const {
  return std::ranges::all_of(
      live_, [&](const VaultInstances::Instance& one) { return one.revision >= revision; });
}

bool KeyKeeper::is_due(const RegisteredKey& active) const {
  const bool over = parts_.clock.now_us() - *active.activated_at_us >= active.cryptoperiod_us;
  return over || active.uses >= kRotateAt;
}

async::Task<Result<void>> KeyKeeper::advance() {
  constexpr KeyName kek = KeyName::pan_encryption;
  if (const RegisteredKey* next = records_.in_state(kek, KeyState::pre_active)) {
    if (!all_have(next->state_revision)) co_return Result<void>{};
    co_return co_await activate(*next);
  }
  const RegisteredKey* const active = records_.in_state(kek, KeyState::active);
  if (active == nullptr) co_return Result<void>{};
  if (is_due(*active)) {
    const SteadyTime now = steady_clock::now();
    if (now < rotate_after_) co_return Result<void>{};
    rotate_after_ = now + parts_.waits.rotate_again;  // each try may leave a key in the HSM
    const std::string nobody;
    const auto begun = co_await begin_rotation(kek, nobody);
    if (!begun) co_return fail(begun.error());
    co_return Result<void>{};
  }
  if (records_.kek_floor < active->version) {
    if (!all_have(active->state_revision)) co_return Result<void>{};
    co_return co_await raise_floor();
  }
  co_return Result<void>{};
}

async::Task<Result<void>> KeyKeeper::require_on_token(RegisteredKey key) {
  SR_CO_TRY(const KeyCheckValue there, co_await parts_.keys.check_value(key.name, key.version));
  if (there != key.check_value) co_return fail(kNotOnToken);
  co_return Result<void>{};
}

// Nothing is moved to a key that this process has a copy of and the token has lost, nor from one
// under which an insert that began before the floor rose may still commit.
async::Task<Result<void>> KeyKeeper::allow_emptying() {
  const SteadyTime now = steady_clock::now();
  if (may_empty_ && now < on_token_at_ + parts_.waits.read_again) co_return Result<void>{};
  if (below_floor().empty() || now < floor_read_at_ + parts_.waits.begun_ends) {
    may_empty_ = false;
    co_return Result<void>{};
  }
  if (!nothing_comes_below_) {
    SR_CO_TRY(const bool open, co_await parts_.database.has_open_for(parts_.waits.begun_ends / 2));
    if (open) co_return Result<void>{};
    nothing_comes_below_ = true;
  }
  const RegisteredKey active = *records_.in_state(KeyName::pan_encryption, KeyState::active);
  const Result<void> there = co_await require_on_token(active);
  // An HSM that does not answer moves nothing; what was allowed stands until it says otherwise, as
  // the job would begin anew.
  const bool unknown = !there && (there.error().code() == ErrorCode::unavailable ||
                                  there.error().code() == ErrorCode::exhausted);
  if (!unknown) may_empty_ = there.has_value();
  if (there) on_token_at_ = now;
  co_return there;
}

async::Task<Result<void>> KeyKeeper::activate(RegisteredKey next) {
  SR_CO_CHECK_OK(co_await require_on_token(next));
  const std::int64_t now = parts_.clock.now_us();
  KeyRecords records = records_;
  std::vector<std::string> labels{next.label()};
  if (const RegisteredKey* before = records.in_state(next.name, KeyState::active)) {
    RegisteredKey old = *before;
    labels.push_back(old.label());
    old.state = KeyState::retired;
    old.state_since_us = now;
    records.put(old);
  }
  next.state = KeyState::active;
  next.state_since_us = now;
  next.activated_at_us = now;
  records.put(next);
  audit::Entry intent = entry(EventType::key_activate, std::move(labels));
  co_return co_await act(std::move(intent), std::move(records));
}

// What a vaultd had under way when it read of the new version has ended by then.
async::Task<Result<void>> KeyKeeper::raise_floor() {
  const SteadyTime now = steady_clock::now();
  const std::uint32_t version =
      records_.in_state(KeyName::pan_encryption, KeyState::active)->version;
  if (floor_due_for_ != version) {
    floor_due_for_ = version;
    floor_due_since_ = now;
  }
  if (now < floor_due_since_ + parts_.waits.begun_ends) co_return Result<void>{};
  SR_CO_TRY(const bool open, co_await parts_.database.has_open_for(parts_.waits.begun_ends / 2));
  if (open) co_return Result<void>{};
  KeyRecords next = records_;
  next.kek_floor = version;
  audit::Entry intent = entry(EventType::key_retire, {});
  for (const RegisteredKey& key : next.keys) {
    const bool below = key.name == KeyName::pan_encryption && key.version < version;
    if (below && is_open(key.state)) intent.resources.push_back(key.label());
  }
  co_return co_await act(std::move(intent), std::move(next));
}

async::Task<bool> KeyKeeper::wait_for_turn() {
  for (int tries = 0; changing_ && tries < kTurnTries; ++tries) {
    co_await parts_.loop.sleep_for(kTurnStep);
  }
  co_return !changing_;
}

async::Task<Result<RegisteredKey>> KeyKeeper::rotate(KeyName name, std::string user) {
  if (name != KeyName::pan_encryption) co_return fail(kNotRotatable);
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  co_return co_await begin_rotation(name, user);
}

async::Task<Result<RegisteredKey>> KeyKeeper::begin_rotation(KeyName name,
                                                             const std::string& user) {
  SR_CO_CHECK_OK(co_await follow());
  if (records_.in_state(name, KeyState::pre_active) != nullptr) co_return fail(kUnderWay);
  // One after the latest that is in the HSM or ever was registered: nobody knows what stands under
  // one there that the registry does not name.
  SR_CO_TRY(const std::vector<std::uint32_t> versions, co_await parts_.keys.versions(name));
  const std::uint32_t latest =
      std::max(records_.latest(name)->version, versions.empty() ? 0 : versions.back());
  const std::int64_t now = parts_.clock.now_us();
  RegisteredKey key{.name = name,
                    .version = latest + 1,
                    .created_at_us = now,
                    .state_since_us = now,
                    .cryptoperiod_us = kind_of(name).cryptoperiod_us};
  audit::Entry intent = entry(EventType::key_generate, {key.label()});
  intent.phase = Phase::intent;
  intent.user = user;
  SR_CO_CHECK_OK(co_await parts_.recorder.record(intent));
  const auto check_value = co_await parts_.keys.make(name, key.version);
  Result<void> made;
  if (check_value) {
    key.check_value = *check_value;
    made = co_await register_made(key);
  } else {
    made = fail(check_value.error());
  }
  co_await conclude(intent, made);
  if (!made) co_return fail(made.error());
  co_return key;
}

// Beside the reservations of others, which come at any time.
async::Task<Result<void>> KeyKeeper::register_made(RegisteredKey key) {
  Result<void> made;
  for (int tries = 0; tries < kRegisterTries; ++tries) {
    KeyRecords next = records_;
    next.put(key);
    made = co_await write(std::move(next));
    if (made || made.error().code() != ErrorCode::conflict) break;
    SR_CO_CHECK_OK(co_await follow());
    if (records_.latest(key.name)->version >= key.version) co_return fail(kUnderWay);
  }
  co_return made;
}

async::Task<Result<void>> KeyKeeper::note_emptied(std::vector<std::uint32_t> versions) {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  KeyRecords next = records_;
  for (const std::uint32_t version : versions) {
    const RegisteredKey* const known = next.find(KeyName::pan_encryption, version);
    if (known == nullptr || protects_new(known->state)) co_return fail(kStillActive);
    RegisteredKey key = *known;
    key.emptied_at_us = parts_.clock.now_us();
    next.put(key);
  }
  co_return co_await write(std::move(next));
}

std::vector<std::uint32_t> KeyKeeper::to_empty() const {
  return leads_ && may_empty_ ? below_floor() : std::vector<std::uint32_t>{};
}

std::vector<std::uint32_t> KeyKeeper::below_floor() const {
  std::vector<std::uint32_t> versions;
  versions.reserve(records_.keys.size());
  for (const RegisteredKey& key : records_.keys) {
    const bool out = key.state == KeyState::retired || key.state == KeyState::compromised;
    const bool of_kek = key.name == KeyName::pan_encryption && key.version < records_.kek_floor;
    if (of_kek && out && !key.emptied_at_us) versions.push_back(key.version);
  }
  return versions;
}

}  // namespace strongroom::cde

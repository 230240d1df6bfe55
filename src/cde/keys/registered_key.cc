// Names, states and the authenticated form of a key's version.
#include "cde/keys/registered_key.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::int64_t kNever = -1;  // no time that a row could have
constexpr std::array kKinds{
    KeyKind{KeyName::pan_encryption, "pan-encryption", "AES-256",
            "wraps the key of each card (DEK)", 90 * kDayUs},
    KeyKind{KeyName::pan_fingerprint, "pan-fingerprint", "HMAC-SHA256",
            "finds a merchant's card that is there already", 90 * kDayUs},
    KeyKind{KeyName::blind_index, "blind-index", "HMAC-SHA256", "finds rows by what is sealed",
            730 * kDayUs},
    KeyKind{KeyName::key_registry, "key-registry", "HMAC-SHA256",
            "proves that nobody else has written this registry", 730 * kDayUs}};
static_assert(std::ranges::equal(kKinds, kKeyNames, {}, &KeyKind::name));
constexpr std::array<std::string_view, 6> kStates{"pre-active",  "active",    "retired",
                                                  "compromised", "withdrawn", "destroyed"};

auto place_of(const RegisteredKey& key) { return std::pair(key.name, key.version); }

}  // namespace

const KeyKind& kind_of(KeyName name) noexcept { return kKinds[static_cast<std::size_t>(name)]; }

Result<KeyName> parse_key_name(std::string_view text) noexcept {
  const auto* const kind = std::ranges::find(kKinds, text, &KeyKind::text);
  if (kind == kKinds.end()) return fail({ErrorCode::invalid_argument, "no key has that name"});
  return kind->name;
}

std::string_view to_string(KeyState state) noexcept {
  return kStates[static_cast<std::size_t>(state)];
}

Result<KeyState> parse_key_state(std::string_view text) noexcept {
  const auto* const state = std::ranges::find(kStates, text);
  if (state == kStates.end()) return fail({ErrorCode::invalid_argument, "no such state of a key"});
  return static_cast<KeyState>(state - kStates.begin());
}

bool may_become(KeyState from, KeyState to) noexcept {
  switch (from) {
    case KeyState::pre_active:  // one that should not have been made is compromised first
      return to == KeyState::active || to == KeyState::compromised;
    case KeyState::active:
      return to == KeyState::retired || to == KeyState::compromised;
    case KeyState::retired:
      return to == KeyState::compromised || to == KeyState::withdrawn;
    case KeyState::compromised:
      return to == KeyState::withdrawn;
    case KeyState::withdrawn:
      return to == KeyState::destroyed;
    case KeyState::destroyed:
      return false;
  }
  return false;
}

std::string key_label(KeyName name, std::uint32_t version) {
  return "strongroom/" + std::string(kind_of(name).text) + "/" + std::to_string(version);
}

std::vector<std::byte> RegisteredKey::authenticated() const {
  const auto number = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  crypto::Context context("strongroom/key-registry-row/1");
  context.add(kind_of(name).text)
      .add(version)
      .add(kind_of(name).algorithm)
      .add(std::span<const std::byte>(check_value))
      .add(to_string(state))
      .add(number(created_at_us))
      .add(number(activated_at_us.value_or(kNever)))
      .add(number(state_since_us))
      .add(number(state_revision))
      .add(number(cryptoperiod_us))
      .add(number(emptied_at_us.value_or(kNever)))
      .add(uses);
  const std::span<const std::byte> bytes = context.bytes();
  return {bytes.begin(), bytes.end()};
}

const RegisteredKey* KeyRecords::find(KeyName name, std::uint32_t version) const {
  const auto found = std::ranges::find(keys, std::pair(name, version), place_of);
  return found == keys.end() ? nullptr : &*found;
}

const RegisteredKey* KeyRecords::in_state(KeyName name, KeyState state) const {
  const auto found = std::ranges::find_if(
      keys, [&](const RegisteredKey& key) { return key.name == name && key.state == state; });
  return found == keys.end() ? nullptr : &*found;
}

const RegisteredKey* KeyRecords::latest(KeyName name) const {
  const RegisteredKey* last = nullptr;
  for (const RegisteredKey& key : keys) {
    if (key.name == name) last = &key;  // they are in order
  }
  return last;
}

void KeyRecords::put(RegisteredKey key) {
  const auto place = std::ranges::lower_bound(keys, place_of(key), {}, place_of);
  const bool known = place != keys.end() && place_of(*place) == place_of(key);
  const bool same = known && place->state == key.state;
  SR_CHECK(!known || same || may_become(place->state, key.state));
  if (!same) key.state_revision = revision + 1;
  if (known) {
    *place = key;
  } else {
    keys.insert(place, key);
  }
}

}  // namespace strongroom::cde

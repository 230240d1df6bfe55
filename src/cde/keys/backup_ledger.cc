// What may become of a backup, and what its row then says.
#include "cde/keys/backup_ledger.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

constexpr std::array<std::string_view, 2> kKinds{"data", "keys"};
constexpr std::array<std::string_view, 4> kEndings{"none", "failed", "destroyed", "replaced"};
constexpr std::array<std::string_view, 6> kActs{"begin", "verified",  "failed",
                                                "add",   "destroyed", "replaced"};
constexpr std::int64_t kNever = -1;  // no time that a row could have
// Who has made one for longer has been killed.
constexpr std::int64_t kMakingMaxUs = std::int64_t{7} * 86'400'000'000;

constexpr Error kUnknown{ErrorCode::not_found,
                         "no such backup is in the ledger: see strongroom keys backups list"};
constexpr Error kKnown{ErrorCode::conflict, "a backup of this id is in the ledger"};
constexpr Error kFull{ErrorCode::exhausted, "the ledger of backups is full"};
constexpr Error kEnded{ErrorCode::conflict, "the backup has come to its end before"};
constexpr Error kWhole{ErrorCode::conflict, "the backup is whole: say that it was destroyed"};
constexpr Error kOnlyKeys{ErrorCode::conflict,
                          "only of backups of keys the ledger says how they ended"};
constexpr Error kNoOther{ErrorCode::conflict,
                         "what replaces a backup is another verified backup of keys, which has not"
                         " come to its end"};

template <class Enum, std::size_t N>
Result<Enum> parse(const std::array<std::string_view, N>& texts, std::string_view text) {
  const auto* const found = std::ranges::find(texts, text);
  if (found == texts.end()) return fail({ErrorCode::invalid_argument, "no such word of a backup"});
  return static_cast<Enum>(found - texts.begin());
}

auto place_of(const KnownBackup& backup) {
  return std::pair(std::string_view(backup.id), backup.kind);
}

// Of "strongroom/pan-encryption/2", and 0 of what is none of `name`.
std::uint32_t version_of(std::string_view label, KeyName name) {
  const std::string prefix = "strongroom/" + std::string(kind_of(name).text) + "/";
  if (!label.starts_with(prefix)) return 0;
  label.remove_prefix(prefix.size());
  std::uint32_t version = 0;
  std::from_chars(label.data(), label.data() + label.size(), version);
  return version;
}

}  // namespace

std::string_view to_string(BackupKind kind) noexcept { return kKinds[std::to_underlying(kind)]; }
Result<BackupKind> parse_backup_kind(std::string_view text) noexcept {
  return parse<BackupKind>(kKinds, text);
}
std::string_view to_string(BackupEnding ending) noexcept {
  return kEndings[std::to_underlying(ending)];
}
Result<BackupEnding> parse_backup_ending(std::string_view text) noexcept {
  return parse<BackupEnding>(kEndings, text);
}
std::string_view to_string(BackupAct act) noexcept { return kActs[std::to_underlying(act)]; }
Result<BackupAct> parse_backup_act(std::string_view text) noexcept {
  return parse<BackupAct>(kActs, text);
}

// One that nobody has read to its end may hold whatever there was while it was made.
bool KnownBackup::may_give_back(const RegisteredKey& key) const {
  if (kind != BackupKind::keys || ending != BackupEnding::none) return false;
  return !verified_at_us || std::ranges::binary_search(holds, key.label());
}

BackupLedger::BackupLedger(std::vector<KnownBackup> rows) : rows_(std::move(rows)) {
  std::ranges::sort(rows_, {}, place_of);
}

const KnownBackup* BackupLedger::find(std::string_view id, BackupKind kind) const {
  const auto found = std::ranges::find(rows_, std::pair(id, kind), place_of);
  return found == rows_.end() ? nullptr : &*found;
}

KnownBackup* BackupLedger::row_of(const BackupNote& note) {
  const std::pair place(std::string_view(note.id), note.kind);
  const auto found = std::ranges::find(rows_, place, place_of);
  return found == rows_.end() ? nullptr : &*found;
}

Result<void> BackupLedger::take(const BackupNote& note, const Moment& moment) {
  switch (note.act) {
    case BackupAct::begin:
    case BackupAct::add:
      return insert(note, moment);
    case BackupAct::verified:
      return verify(note, moment);
    case BackupAct::failed:
      return fail_making(note, moment);
    case BackupAct::destroyed:
    case BackupAct::replaced:
      return end(note, moment);
  }
  return {};
}

Result<void> BackupLedger::insert(const BackupNote& note, const Moment& moment) {
  if (find(note.id, note.kind) != nullptr) return fail(kKnown);
  if (rows_.size() >= kRowsMax) return fail(kFull);
  KnownBackup row{.id = note.id,
                  .kind = note.kind,
                  .means = note.means,
                  .begun_at_us = moment.now_us,
                  .holds = moment.holds};
  if (note.act == BackupAct::add) row.verified_at_us = moment.now_us;
  rows_.insert(std::ranges::upper_bound(rows_, place_of(row), {}, place_of), std::move(row));
  return {};
}

Result<void> BackupLedger::verify(const BackupNote& note, const Moment& moment) {
  KnownBackup* const row = row_of(note);
  if (row == nullptr) return fail(kUnknown);
  if (row->verified_at_us || row->ending != BackupEnding::none) return fail(kEnded);
  row->verified_at_us = moment.now_us;
  if (note.kind == BackupKind::keys) {  // also what was made while it was
    std::vector<std::string> both;
    std::ranges::set_union(row->holds, moment.holds, std::back_inserter(both));
    row->holds = std::move(both);
    return {};
  }
  const std::int64_t begun = row->begun_at_us;
  std::erase_if(rows_, [&](const KnownBackup& other) {
    if (other.kind != BackupKind::data || other.id == note.id) return false;
    return other.begun_at_us <= (other.verified_at_us ? begun : begun - kMakingMaxUs);
  });
  return {};
}

Result<void> BackupLedger::fail_making(const BackupNote& note, const Moment& moment) {
  KnownBackup* const row = row_of(note);
  if (row == nullptr) return fail(kUnknown);
  if (row->verified_at_us) return fail(kWhole);
  if (row->ending != BackupEnding::none) return fail(kEnded);
  if (note.kind == BackupKind::data) {
    rows_.erase(rows_.begin() + (row - rows_.data()));
    return {};
  }
  row->ending = BackupEnding::failed;
  row->ended_at_us = moment.now_us;
  row->ended_by = moment.user;
  return {};
}

Result<void> BackupLedger::end(const BackupNote& note, const Moment& moment) {
  if (note.kind != BackupKind::keys) return fail(kOnlyKeys);
  KnownBackup* const row = row_of(note);
  if (row == nullptr) return fail(kUnknown);
  if (row->ending != BackupEnding::none) return fail(kEnded);
  if (note.act == BackupAct::replaced) {
    const KnownBackup* const other = find(note.replaced_by, BackupKind::keys);
    const bool fit = other != nullptr && other != row && other->verified_at_us &&
                     other->ending == BackupEnding::none;
    if (!fit) return fail(kNoOther);
    row->replaced_by = note.replaced_by;
  }
  row->ending = note.act == BackupAct::replaced ? BackupEnding::replaced : BackupEnding::destroyed;
  row->ended_at_us = moment.now_us;
  row->ended_by = moment.user;
  return {};
}

bool BackupLedger::shows(const BackupNote& note) const {
  const KnownBackup* const row = find(note.id, note.kind);
  const bool dropped = note.kind == BackupKind::data && row == nullptr;
  switch (note.act) {
    case BackupAct::begin:
    case BackupAct::add:
      return row != nullptr;
    case BackupAct::verified:
      return row != nullptr && row->verified_at_us.has_value();
    case BackupAct::failed:
      return dropped || (row != nullptr && row->ending == BackupEnding::failed);
    case BackupAct::destroyed:
      return row != nullptr && row->ending == BackupEnding::destroyed;
    case BackupAct::replaced:
      return row != nullptr && row->ending == BackupEnding::replaced;
  }
  return false;
}

std::vector<KnownBackup> BackupLedger::that_give_back(const RegisteredKey& key) const {
  std::vector<KnownBackup> open;
  std::ranges::copy_if(rows_, std::back_inserter(open),
                       [&](const KnownBackup& one) { return one.may_give_back(key); });
  return open;
}

bool BackupLedger::knows_copies_of(const RegisteredKey& key) const {
  return std::ranges::any_of(rows_, [&](const KnownBackup& one) {
    return one.kind == BackupKind::keys && one.verified_at_us &&
           std::ranges::binary_search(one.holds, key.label());
  });
}

// One that was begun before there was a later version is not a backup since, though it says nothing
// of `key`.
bool BackupLedger::has_data_without(const RegisteredKey& key) const {
  return std::ranges::any_of(rows_, [&](const KnownBackup& one) {
    if (one.kind != BackupKind::data || !one.verified_at_us) return false;
    const bool since = std::ranges::any_of(one.holds, [&](const std::string& label) {
      return version_of(label, key.name) > key.version;
    });
    return since && !std::ranges::binary_search(one.holds, key.label());
  });
}

std::optional<crypto::Sha256Digest> BackupLedger::digest() const {
  if (rows_.empty()) return std::nullopt;
  const auto number = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  crypto::Context context("strongroom/backup-ledger/1");
  for (const KnownBackup& row : rows_) {
    context.add(row.id)
        .add(to_string(row.kind))
        .add(row.means)
        .add(number(row.begun_at_us))
        .add(number(row.verified_at_us.value_or(kNever)))
        .add(static_cast<std::uint32_t>(row.holds.size()));
    for (const std::string& label : row.holds) context.add(label);
    context.add(to_string(row.ending))
        .add(number(row.ended_at_us.value_or(kNever)))
        .add(row.replaced_by)
        .add(row.ended_by);
  }
  return crypto::sha256(context.bytes());
}

}  // namespace strongroom::cde

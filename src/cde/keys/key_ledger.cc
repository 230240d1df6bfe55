// The ledger of backups, kept: what is noted in it, with an intent before and an outcome after.
#include <algorithm>
#include <utility>

#include "base/try.h"
#include "cde/keys/key_keeper.h"
#include "cde/keys/ledger_rows.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;

constexpr int kTries = 5;  // beside the changes of others, which come at any time
constexpr Error kBusy{ErrorCode::exhausted, "another change of the keys is under way"};

// Of an entry: the backup, its kind, what became of it, and what has replaced it.
enum Resource : std::size_t { kBackup, kKind, kAct, kReplacedBy };
constexpr std::string_view kBackupPrefix = "backup ";

std::vector<std::string> resources_of(const BackupNote& note) {
  std::vector<std::string> resources{std::string(kBackupPrefix) + note.id,
                                     std::string(to_string(note.kind)),
                                     std::string(to_string(note.act))};
  if (note.act == BackupAct::replaced) {
    resources.push_back(std::string(kBackupPrefix) + note.replaced_by);
  }
  return resources;
}

Result<BackupNote> note_of(const audit::Entry& intent) {
  const std::vector<std::string>& resources = intent.resources;
  const bool whole = resources.size() > kAct && resources[kBackup].starts_with(kBackupPrefix);
  if (!whole) return fail({ErrorCode::invalid_argument, "no entry of the ledger of backups"});
  BackupNote note{.id = resources[kBackup].substr(kBackupPrefix.size())};
  SR_TRY(note.kind, parse_backup_kind(resources[kKind]));
  SR_TRY(note.act, parse_backup_act(resources[kAct]));
  return note;
}

}  // namespace

async::Task<Result<BackupLedger>> KeyKeeper::latest_ledger() {
  Result<BackupLedger> ledger = fail(kRegistryMovedOn);
  for (int tries = 0; tries < kTries; ++tries) {
    SR_CO_CHECK_OK(co_await follow());
    ledger = co_await registry_.read_ledger(records_);
    if (ledger || ledger.error().code() != ErrorCode::conflict) break;
  }
  co_return ledger;
}

async::Task<Result<BackupLedger>> KeyKeeper::backups() {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  co_return co_await latest_ledger();
}

// Of keys: all that are in the HSM, registered or not, and what should be; of a copy that was made
// by other means, nobody knows when, also what once was. Of data: what something stands under.
async::Task<Result<std::vector<std::string>>> KeyKeeper::held_by(BackupKind kind, BackupAct act) {
  const bool of_before = kind == BackupKind::keys && act == BackupAct::add;
  std::vector<std::string> labels;
  for (const RegisteredKey& key : records_.keys) {
    if (key.state == KeyState::destroyed && !of_before) continue;
    if (kind == BackupKind::keys || !key.emptied_at_us) labels.push_back(key.label());
  }
  if (kind == BackupKind::keys) {
    for (const KeyName name : kKeyNames) {
      SR_CO_TRY(const std::vector<std::uint32_t> versions, co_await parts_.keys.versions(name));
      for (const std::uint32_t version : versions) labels.push_back(key_label(name, version));
    }
  }
  std::ranges::sort(labels);
  const auto again = std::ranges::unique(labels);
  labels.erase(again.begin(), again.end());
  co_return labels;
}

async::Task<Result<KnownBackup>> KeyKeeper::note_backup(BackupNote note, std::string user) {
  const bool free = co_await wait_for_turn();
  if (!free) co_return fail(kBusy);
  const Turn turn(changing_);
  Result<void> noted;
  BackupLedger after;
  for (int tries = 0; tries < kTries; ++tries) {
    SR_CO_TRY(const BackupLedger before, co_await latest_ledger());
    SR_CO_TRY(std::vector<std::string> holds, co_await held_by(note.kind, note.act));
    after = before;
    SR_CO_CHECK_OK(after.take(
        note, {.now_us = parts_.clock.now_us(), .user = user, .holds = std::move(holds)}));
    KeyRecords next = records_;
    next.ledger = after.digest();
    audit::Entry intent = entry(EventType::key_ledger, resources_of(note));
    intent.user = user;
    noted = co_await act(std::move(intent), std::move(next), ledger_changes(before, after));
    if (noted || noted.error().code() != ErrorCode::conflict) break;
  }
  SR_CO_CHECK_OK(noted);
  const KnownBackup* const row = after.find(note.id, note.kind);
  co_return row != nullptr ? *row : KnownBackup{.id = note.id, .kind = note.kind};
}

async::Task<Result<Outcome>> KeyKeeper::outcome_of_note(const audit::Entry& intent) {
  const Result<BackupNote> note = note_of(intent);
  if (!note) co_return Outcome::unknown;
  SR_CO_TRY(const KeyRecords records, co_await registry_.read());
  SR_CO_TRY(const BackupLedger ledger, co_await registry_.read_ledger(records));
  co_return ledger.shows(*note) ? Outcome::done : Outcome::not_done;
}

}  // namespace strongroom::cde

// BackupLedger: what is known of backups of a vault's data and of its keys, as far as a version of
// a key may be destroyed by it (PCI DSS 4.0.1, 3.7.5; design section 3): which key backups may
// still hold its value, and whether the cards that are left stand in a backup without it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cde/keys/registered_key.h"
#include "crypto/hash.h"

namespace strongroom::cde {

enum class BackupKind : std::uint8_t {
  data,  // a dump of the vault's database
  keys,  // a copy of the HSM's keys
};
[[nodiscard]] std::string_view to_string(BackupKind kind) noexcept;
[[nodiscard]] Result<BackupKind> parse_backup_kind(std::string_view text) noexcept;

// How a backup of keys came to its end.
enum class BackupEnding : std::uint8_t {
  none,       // it may still give its keys back
  failed,     // it was never whole, and what was written of it is removed
  destroyed,  // every copy of it
  replaced,   // every copy of it was overwritten by another backup
};
[[nodiscard]] std::string_view to_string(BackupEnding ending) noexcept;
[[nodiscard]] Result<BackupEnding> parse_backup_ending(std::string_view text) noexcept;

// A row of the ledger. Times are microseconds since the Unix epoch.
struct KnownBackup {
  std::string id{};  // 32 hex digits; the same of data and keys that were backed up together
  BackupKind kind = BackupKind::data;
  std::string means{};  // what it was made by, in an operator's words; empty: `strongroom backup`
  std::int64_t begun_at_us = 0;
  std::optional<std::int64_t> verified_at_us{};  // all of it was read again
  // Labels, in the order of their bytes. Of keys: the versions whose values are in it, once it is
  // verified. Of data: the versions under which something may stand in it.
  std::vector<std::string> holds{};
  BackupEnding ending = BackupEnding::none;
  std::optional<std::int64_t> ended_at_us{};
  std::string replaced_by{};  // the other's id
  std::string ended_by{};     // who said so

  // Whether the value of `key` may be had from it.
  [[nodiscard]] bool may_give_back(const RegisteredKey& key) const;
  bool operator==(const KnownBackup&) const = default;
};

// What becomes of a backup.
enum class BackupAct : std::uint8_t {
  begin,      // it is about to be made
  verified,   // it is made, and all of it was read again
  failed,     // it is not, and what was written of it is removed
  add,        // it was made by other means
  destroyed,  // BackupEnding::destroyed
  replaced,   // BackupEnding::replaced
};
[[nodiscard]] std::string_view to_string(BackupAct act) noexcept;
[[nodiscard]] Result<BackupAct> parse_backup_act(std::string_view text) noexcept;

struct BackupNote {
  std::string id;
  BackupKind kind = BackupKind::data;
  BackupAct act = BackupAct::begin;
  std::string replaced_by{};  // of BackupAct::replaced
  std::string means{};        // of BackupAct::add
};

// A value: the rows, by id and kind. Of data only the last verified backup is kept: an earlier one
// shows nothing that it does not. Of keys all are, with their endings.
class BackupLedger {
 public:
  static constexpr std::size_t kRowsMax = 10'000;  // 27 years of a key backup each day

  BackupLedger() = default;
  explicit BackupLedger(std::vector<KnownBackup> rows);

  // When, by whom, and which versions there are (KnownBackup::holds).
  struct Moment {
    std::int64_t now_us = 0;
    std::string user;
    std::vector<std::string> holds;
  };
  // Notes what became of a backup. not_found: no such row; conflict: the row's state does not
  // admit it; exhausted: the ledger is full.
  [[nodiscard]] Result<void> take(const BackupNote& note, const Moment& moment);
  // Whether the rows show that `note` was taken.
  [[nodiscard]] bool shows(const BackupNote& note) const;

  // The key backups from which the value of `key` may still be had.
  [[nodiscard]] std::vector<KnownBackup> that_give_back(const RegisteredKey& key) const;
  // Whether a whole backup of keys with `key` is noted, whatever became of it. Where none is, the
  // ledger does not show that no copy is left: nobody may have told it.
  [[nodiscard]] bool knows_copies_of(const RegisteredKey& key) const;
  // Whether a backup of the data was verified that was begun when nothing stood under `key` any
  // more: the one from which a loss of the database is mended when `key` is gone.
  [[nodiscard]] bool has_data_without(const RegisteredKey& key) const;

  // What the registry's seal is over (docs/formats/key-registry.md); none: there is no row.
  [[nodiscard]] std::optional<crypto::Sha256Digest> digest() const;
  [[nodiscard]] const std::vector<KnownBackup>& rows() const noexcept { return rows_; }
  [[nodiscard]] const KnownBackup* find(std::string_view id, BackupKind kind) const;

 private:
  KnownBackup* row_of(const BackupNote& note);
  Result<void> insert(const BackupNote& note, const Moment& moment);
  Result<void> verify(const BackupNote& note, const Moment& moment);
  Result<void> fail_making(const BackupNote& note, const Moment& moment);
  Result<void> end(const BackupNote& note, const Moment& moment);

  std::vector<KnownBackup> rows_;
};

}  // namespace strongroom::cde

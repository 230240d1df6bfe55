// What vaultd's ledger of backups (docs/keys.md) is told of those that this tool makes. A copy of
// the keys is in it from before its first byte, so that none is ever forgotten.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/context.h"
#include "backup/manifest.h"

namespace strongroom::tool {

// `context` outlives it.
class LedgerNotes {
 public:
  LedgerNotes(const Context& context, std::string id) : context_(context), id_(std::move(id)) {}

  // Of the backups, 32 hex digits.
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  // Before anything is made. Of keys it fails where vaultd does not note it; of data that is said,
  // and the backup is made all the same: only that no key is destroyed on its strength.
  [[nodiscard]] Done<void> begin(backup::Kind kind);
  // It is whole. Of keys it fails where vaultd does not note it, as when somebody has closed the
  // backup meanwhile; of data that is said.
  [[nodiscard]] Done<void> verified(backup::Kind kind);
  // Whatever was begun and is not whole is removed.
  void failed();

 private:
  [[nodiscard]] bool note(backup::Kind kind, std::string_view act) const;

  const Context& context_;
  std::string id_;
  std::vector<backup::Kind> open_;  // begun
};

}  // namespace strongroom::tool

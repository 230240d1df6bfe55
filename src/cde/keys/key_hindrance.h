// Hindrance: what stands in the way of destroying a version of a key (design section 3, erase; PCI
// DSS 4.0.1, 3.7.5). All are told at once, each with what it is of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cde/keys/backup_ledger.h"
#include "cde/keys/registered_key.h"

namespace strongroom::cde {

struct Hindrance {
  enum class Kind : std::uint8_t {
    in_use,        // it protects what is new, or may soon
    stands,        // something may still stand under it: of a KEK, cards that live
    no_backup,     // no backup of the data was verified that was begun when nothing did any more
    no_copy,       // no copy of it was ever noted, so that there may be one that nobody knows of
    key_backup,    // a backup of the keys may give it back; `of`: its id
    other_vaultd,  // has not said that it has no copy, and perhaps does not live; `of`: its name
    hsm            // it is withdrawn, and was not destroyed when that was tried
  };
  Kind kind;
  std::string of{};
  bool operator==(const Hindrance&) const = default;
};

// Those that the registry and the ledger of backups show. `silent`: the vaultd of the database that
// have not said for long that they live.
[[nodiscard]] std::vector<Hindrance> hindrances_of(const RegisteredKey& key,
                                                   const BackupLedger& ledger,
                                                   const std::vector<std::string>& silent);

}  // namespace strongroom::cde

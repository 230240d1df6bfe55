// Due erasures: cards that were erased and came back with a backup that was restored. The backup's
// rows and this list become durable in one transaction, and vaultd serves nothing before the list
// is empty, so no request ever finds such a card.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "cde/vault/card_store.h"
#include "cde/vault/vault.h"
#include "storage/database.h"
#include "storage/dump.h"

namespace strongroom::cde {

// The table, as statements of the vault database's migrations. `expired` is 1 for a card whose time
// was over, 0 for one that somebody deleted.
inline constexpr std::array<std::string_view, 1> kCreateDueErasures{
    "CREATE TABLE due_erasures ("
    " token_hash bytea NOT NULL PRIMARY KEY,"
    " expired bigint NOT NULL)"};

// Of the entries token.delete and token.expire that stand behind a dump and tell what was erased
// since (docs/formats/database-dump.md). To be run in the transaction that fills the database.
// corrupt: cut short, too long, or other entries.
[[nodiscard]] Result<std::vector<storage::Statement>> read_due_erasures(
    const storage::Source& source);

class DueErasures final {
 public:
  // They outlive it.
  DueErasures(storage::Database& database, CardStore& cards, Vault& vault, const Clock& clock)
      : database_(database), cards_(cards), vault_(vault), clock_(clock) {}

  // Erases all that are due as Vault::erase_all(), of the operation "restore"; gives how many were
  // there. An error leaves the rest due: call it again.
  [[nodiscard]] async::Task<Result<std::uint64_t>> run();

 private:
  struct Batch;
  async::Task<Result<Batch>> next_batch();
  async::Task<void> erase(Batch& batch, Ending ending);
  async::Task<Result<void>> forget_done(Batch batch);

  storage::Database& database_;
  CardStore& cards_;
  Vault& vault_;
  const Clock& clock_;
};

}  // namespace strongroom::cde

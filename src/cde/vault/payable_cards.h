// PayableCards: what a payment needs of a card, with one statement for all payments that ask at
// once: the card's row and what processors have of it, as they stand together.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "async/batcher.h"
#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "cde/vault/card_store.h"
#include "cde/vault/processor_token_store.h"
#include "crypto/hash.h"
#include "storage/database.h"

namespace strongroom::cde {

struct PayableCard {
  CardStore::Found found;
  std::vector<ProcessorTokenRow> processor_tokens;  // at every account

  // Of the account; null: none.
  [[nodiscard]] const ProcessorTokenRow* at(const AccountKey& account) const noexcept;
};

// Belongs to the database's Loop. Errors are those of storage::Database.
class PayableCards final {
 public:
  PayableCards(async::Loop& loop, storage::Database& database);

  // The card of this merchant's token; another merchant's is not there.
  [[nodiscard]] async::Task<Result<PayableCard>> find(crypto::Sha3Digest512 token_hash,
                                                      BlindIndex merchant);

 private:
  struct Asked {
    crypto::Sha3Digest512 token_hash;
    BlindIndex merchant;
  };
  async::Task<std::vector<Result<PayableCard>>> find_batch(std::vector<Asked> asked);
  using RowsOfCards = std::map<crypto::Sha3Digest512, std::vector<const storage::Row*>>;
  static Result<void> sort_into(RowsOfCards& found, const storage::Rows& rows);
  static Result<PayableCard> card_of(std::span<const storage::Row* const> rows,
                                     const BlindIndex& merchant);

  storage::Database& database_;
  async::Batcher<Asked, PayableCard> finds_;
};

}  // namespace strongroom::cde

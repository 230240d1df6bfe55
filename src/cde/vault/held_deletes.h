// HeldDeletes: how many deletes a merchant, and each key of it, may have carried out in a minute,
// and those above that, which wait until an operator releases or refuses them. A stolen key erases
// a minute's worth of cards and no more. Tables of the vault database, so every vaultd on it counts
// as one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/id.h"
#include "base/result.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/budgets.h"
#include "cde/vault/card_store.h"
#include "crypto/aead.h"
#include "storage/database.h"

namespace strongroom::cde {

// A delete that waits. Key and merchant stand as blind indexes; whose the key is, sealed.
struct HeldDelete {
  TokenId token_id;
  BlindIndex merchant;
  BlindIndex key;          // of the ticket's subject
  crypto::Sealed subject;  // under the card's DEK
  std::int64_t held_at_us = 0;
  OperationId operation;  // that holds it
};

// Errors of every call are those of storage::Database. Belongs to the database's Loop.
class HeldDeletes final {
 public:
  static constexpr std::size_t kDecidedAtOnce = 1000;

  // `limit`: deletes per minute.
  HeldDeletes(storage::Database& database, Budget limit);

  // Spends one delete of the merchant's budget and of the key's, where it is known, or of none:
  // false. What is spent comes back evenly (as of Budgets).
  [[nodiscard]] async::Task<Result<bool>> spend(BlindIndex merchant, std::optional<BlindIndex> key,
                                                std::int64_t now_us);
  // Forgets who owes nothing any more.
  [[nodiscard]] async::Task<Result<void>> forget_spent(std::int64_t now_us);

  struct Standing {
    std::int64_t held_at_us;
    OperationId operation;
  };
  // The one that waits for this card.
  [[nodiscard]] async::Task<Result<std::optional<Standing>>> find(TokenId token);
  // False: the card is gone, or one waits for it already.
  [[nodiscard]] async::Task<Result<bool>> hold(HeldDelete held);
  // How many wait for a decision.
  [[nodiscard]] async::Task<Result<std::int64_t>> count();

  // What one key of a merchant has waiting, with one of the cards, by which both can be named.
  struct Group {
    BlindIndex merchant;
    BlindIndex key;
    std::int64_t held = 0;
    std::int64_t released = 0;  // not carried out yet
    std::int64_t first_us = 0;
    std::int64_t last_us = 0;
    TokenId token_id;
    crypto::Sealed wrapped_dek;
    crypto::Sealed merchant_sealed;
    crypto::Sealed subject;
  };
  struct GroupMark {
    BlindIndex merchant{};
    BlindIndex key{};
  };
  // In the order of their indexes, after `mark`.
  [[nodiscard]] async::Task<Result<std::vector<Group>>> groups(GroupMark mark,
                                                               std::int64_t count_max);

  // Which ones an operator decides on: a merchant's, or those of one key.
  struct Chosen {
    BlindIndex merchant;
    std::optional<BlindIndex> key;
    std::int64_t until_us;  // held then or earlier
  };
  [[nodiscard]] async::Task<Result<bool>> has(Chosen chosen);
  // Up to kDecidedAtOnce that wait for a decision; gives how many. Released ones are carried out by
  // released(), in the name of `by`; refused ones are no more, and their cards stay.
  [[nodiscard]] async::Task<Result<std::size_t>> release(Chosen chosen, const std::string& by,
                                                         std::int64_t now_us);
  [[nodiscard]] async::Task<Result<std::size_t>> refuse(Chosen chosen);

  struct Released {
    CardRow card;
    std::string by;
  };
  // Up to `count_max` cards that are to be erased, in the order of their ids, after `mark`.
  [[nodiscard]] async::Task<Result<std::vector<Released>>> released(TokenId mark,
                                                                    std::int64_t count_max);

 private:
  async::Task<Result<std::size_t>> decide(storage::Statement statement);

  storage::Database& database_;
  const Budget limit_;
};

// The tables, as statements of the vault database's migrations.
inline constexpr std::array<std::string_view, 4> kCreateHeldDeletes{
    "CREATE TABLE delete_budgets ("
    " holder bytea NOT NULL PRIMARY KEY,"
    " spent_until bigint NOT NULL)",
    "CREATE TABLE held_deletes ("
    " token_id bytea NOT NULL PRIMARY KEY,"
    " merchant_index bytea NOT NULL,"
    " key_index bytea NOT NULL,"
    " subject_sealed bytea NOT NULL,"
    " held_at bigint NOT NULL,"
    " operation_id bytea NOT NULL,"
    " released_at bigint,"
    " released_by text)",
    "CREATE INDEX held_deletes_by_key ON held_deletes (merchant_index, key_index, token_id)",
    "CREATE INDEX held_deletes_released ON held_deletes (token_id) WHERE released_at IS NOT NULL"};

}  // namespace strongroom::cde

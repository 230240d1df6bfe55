// CardStore: the table of cards. Every column that says something about a card is Sealed or keyed;
// the rest are random ids, times and counts. SQL is written once for both databases.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "async/batcher.h"
#include "async/task.h"
#include "base/id.h"
#include "base/result.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/likeness.h"
#include "cde/vault/processor_token_store.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "storage/database.h"
#include "storage/migrations.h"

namespace strongroom::cde {

// So long a card waits in one queue for its turn; then its request is shed: a card in memory for
// longer than it takes is a card for whoever reads that memory.
inline constexpr std::chrono::milliseconds kCardWaitMax{100};

// The vault database's schema.
[[nodiscard]] std::span<const storage::Migration> vault_migrations() noexcept;

// What is sealed under a card's DEK; erasing the DEK erases all of it.
struct SealedCard {
  crypto::Sealed card;                    // PAN and expiry
  crypto::Sealed token;                   // the public token
  crypto::Sealed merchant;                // merchant_id
  std::optional<crypto::Sealed> details;  // name and metadata
};

// A row of `cards`. Times are microseconds since the Unix epoch.
struct CardRow {
  TokenId token_id;
  crypto::Sha3Digest512 token_hash;
  BlindIndex merchant_index;
  std::uint32_t merchant_index_version = 0;
  Fingerprint fingerprint{};  // under `fingerprint_version`
  std::uint32_t fingerprint_version = 0;
  crypto::Sealed wrapped_dek;
  SealedCard sealed;
  std::int64_t created_at_us = 0;
  std::optional<std::int64_t> expires_at_us;
  std::int64_t usage_count = 0;
  std::optional<std::int64_t> usage_limit;
  OperationId operation;  // the last one that changed the row: what recovery asks for
};

// How a card came to its end.
enum class Ending : std::uint8_t { deleted, expired };

// A card that is gone: the token_id, the time, and the hash by which the token still answers so.
struct Tombstone {
  TokenId token_id;
  std::int64_t deleted_at_us;
  Ending ending;
  OperationId operation;
};

// A place in the order of expiry, after which the next card is looked for.
struct ExpiryMark {
  std::int64_t expires_at_us = 0;
  TokenId token_id{};
};

// CardStore belongs to one Loop. Errors of every call are those of storage::Database.
class CardStore final {
 public:
  // How long a new card counts among those of its likeness, also when it is deleted.
  static constexpr std::chrono::hours kNewFor{24};

  // `alike_max`: of new cards of one likeness. What other workers and processes have under way at
  // that moment may pass it.
  CardStore(async::Loop& loop, storage::Database& database, std::int64_t alike_max);

  // Inserts the row unless one with its fingerprint exists, or there are as many new cards of its
  // likeness as may be: true when it went in. Batched with what arrives meanwhile; durable on
  // return. unknown_outcome: ask again by standing().
  [[nodiscard]] async::Task<Result<bool>> insert(CardRow row, Likeness likeness);

  struct Found {  // neither: there is no such row
    std::optional<CardRow> card;
    std::optional<Tombstone> tombstone;
  };
  // What stands in the way of a row that did not go in, or the row itself.
  struct Standing {
    Found found;  // by fingerprint
    // When one more card of its likeness may be added, where there are as many as may be.
    std::optional<std::int64_t> full_until_us;
  };
  [[nodiscard]] async::Task<Result<Standing>> standing(const CardRow& row, Likeness likeness);
  // Forgets new cards that count no longer, some at a time; gives how many.
  [[nodiscard]] async::Task<Result<std::size_t>> forget_new(std::int64_t now_us);
  // The row of a token, whoever's it is: for recovery.
  [[nodiscard]] async::Task<Result<Found>> find_by_token(crypto::Sha3Digest512 token_hash);
  // The row of this merchant's token; another merchant's is not there.
  [[nodiscard]] async::Task<Result<Found>> find_by_token(crypto::Sha3Digest512 token_hash,
                                                         BlindIndex merchant);

  // Database::has_open_for.
  [[nodiscard]] async::Task<Result<bool>> has_open_for(std::chrono::milliseconds age) {
    return database_.has_open_for(age);
  }

  // Those of `tokens` whose cards are erased.
  [[nodiscard]] async::Task<Result<std::vector<TokenId>>> erased_of(std::vector<TokenId> tokens);

  // Up to `count_max` cards whose time was over at `until_us` and that are not erased yet, the
  // longest over first, after `mark`.
  [[nodiscard]] async::Task<Result<std::vector<CardRow>>> expired(std::int64_t until_us,
                                                                  ExpiryMark mark,
                                                                  std::int64_t count_max);

  struct Life {
    TokenId token_id;
    BlindIndex merchant;
    std::int64_t created_at_us;
    std::optional<std::int64_t> expires_at_us;
  };
  // Up to `count_max` cards that are not erased, in the order of their ids, after `mark`.
  [[nodiscard]] async::Task<Result<std::vector<Life>>> lives(TokenId mark, std::int64_t count_max);
  // Gives each of `cards`, which are in that order, the end that it has here, unless its own is
  // earlier by now.
  [[nodiscard]] async::Task<Result<void>> shorten(std::vector<Life> cards);

  struct OldDek {
    TokenId token;
    std::int64_t version;            // of `pan-encryption`, as the row says
    Result<crypto::Sealed> wrapped;  // corrupt: it is no DEK
  };
  struct OldDeksAsked {
    TokenId after, last;       // from behind the one to the other
    std::int64_t version_max;  // up to that
    std::int64_t rows_max;     // that are looked at, in the order of their ids
    std::int64_t deks_max;     // of them
  };
  struct OldDeks {
    std::vector<OldDek> deks;  // in the order of their tokens
    TokenId last;              // that was looked at
    std::int64_t rows = 0;     // that were, of a page with more behind it
    bool more = false;
  };
  // The DEKs of cards that are under old versions of the KEK.
  [[nodiscard]] async::Task<Result<OldDeks>> old_deks(OldDeksAsked asked);
  struct MovedDek {
    TokenId token;
    std::int64_t old_version;
    crypto::Sealed wrapped;  // under another version
  };
  // Puts each of `deks`, which are in that order, in the old one's place, but of a card that was
  // erased or moved meanwhile; gives how many.
  [[nodiscard]] async::Task<Result<std::size_t>> move_deks(std::vector<MovedDek> deks);
  // How many cards live under that version of the KEK, counted one by one.
  [[nodiscard]] async::Task<Result<std::int64_t>> count_under(std::uint32_t version);
  // When the first card was erased of those that were at `since_us` or later; nothing: none was.
  [[nodiscard]] async::Task<Result<std::optional<std::int64_t>>> first_erasure_since(
      std::int64_t since_us);
  // The highest id, and the one that is the `rows`th after `after`, of erased cards too; nothing:
  // there is none.
  [[nodiscard]] async::Task<Result<std::optional<TokenId>>> last_id();
  [[nodiscard]] async::Task<Result<std::optional<TokenId>>> id_at(std::int64_t rows, TokenId after);

  // Takes the fingerprint from a row whose time is over, so that the card can be added anew.
  // True when it did (or somebody else just has).
  [[nodiscard]] async::Task<Result<bool>> release_expired(TokenId token, std::int64_t now_us);
  // Of both that follow: `removals` are all the card's processor tokens, which are queued for
  // removal in the same transaction. conflict: there are others by now; read them again.

  // Replaces what is sealed of a card whose expiry, name or metadata changed. False: deleted
  // meanwhile.
  [[nodiscard]] async::Task<Result<bool>> replace(TokenId token, const crypto::Sealed& card,
                                                  const std::optional<crypto::Sealed>& details,
                                                  OperationId operation,
                                                  std::span<const Removal> removals);
  // Drops the wrapped DEK, the fingerprints and everything sealed, and leaves the tombstone, in one
  // transaction. False: it was erased already.
  [[nodiscard]] async::Task<Result<bool>> erase(TokenId token, std::int64_t now_us,
                                                OperationId operation,
                                                std::span<const Removal> removals);
  struct Erasing {
    TokenId token;
    OperationId operation;
    std::vector<Removal> removals;
  };
  // The same of many cards in one transaction; gives those that were erased. A card stays that was
  // erased already, that has not expired (Ending::expired), or that has other processor tokens by
  // now.
  [[nodiscard]] async::Task<Result<std::set<TokenId>>> erase_all(std::vector<Erasing> cards,
                                                                 Ending ending,
                                                                 std::int64_t now_us);

 private:
  struct NewCard {
    CardRow row;
    Likeness likeness;
    std::int64_t room;  // how many new cards of its likeness may be there for it to go in
  };
  using Inserts = async::Batcher<NewCard, bool>;
  async::Task<std::vector<Result<bool>>> insert_batch(std::vector<NewCard> cards);
  // Whether each went in.
  async::Task<Result<std::vector<bool>>> insert_together(std::span<const NewCard> cards);
  std::int64_t others_like(const NewCard& card) const;
  async::Task<Result<Found>> find(storage::Statement statement);
  async::Task<Result<std::optional<TokenId>>> find_id(storage::Statement statement);
  // Runs a guarded UPDATE of one row, then the `rest`; true when the row was changed.
  async::Task<Result<bool>> update_one(storage::Statement update,
                                       std::vector<storage::Statement> rest = {});

  storage::Database& database_;
  const std::int64_t alike_max_;
  std::map<std::pair<Likeness, Fingerprint>, std::size_t> under_way_;  // requests of each card
  std::coroutine_handle<> held_back_;  // the batch that waits until the other has ended
  Inserts inserts_;
};

}  // namespace strongroom::cde

// PaymentStore: payments and attempts in the core database. A request that moves money costs two
// commits at most, one before the connector is called and one after, and shares them with what
// arrives meanwhile. SQL is written once for both databases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/batcher.h"
#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "connected/gateway/records.h"
#include "storage/database.h"

namespace strongroom::connected::gateway {

inline constexpr std::size_t kPageSizeMax = 100;
inline constexpr std::size_t kDueMax = 32;  // attempts settled at once

// What beginning an attempt came to. key_known: the merchant has used the key before. moved: the
// payment is not any more what the caller has read. Nothing is stored with either.
enum class Begun : std::uint8_t { begun, key_known, moved };

struct PaymentPage {
  std::vector<PaymentRow> items;  // newest first
  bool more = false;              // ask again after the last item's id
};

// Unsettled is how much nobody knows.
struct Unsettled {
  std::int64_t count = 0;
  std::int64_t oldest_us = 0;  // when the oldest began; 0: none
};

// Belongs to the database's Loop, which outlives it. Errors of every call are the database's; what
// writes is durable on return.
class PaymentStore final {
 public:
  PaymentStore(async::Loop& loop, storage::Database& database);

  // Stores a new payment with its first attempt, open in both or concluded in both.
  [[nodiscard]] async::Task<Result<Begun>> begin_payment(PaymentRow payment, AttemptRow attempt);
  // Opens `attempt` on the payment, which is as it was read.
  [[nodiscard]] async::Task<Result<Begun>> begin_operation(PaymentRow payment, AttemptRow attempt);
  // Closes the open attempt: `attempt` with its final state, `payment` after it. False: somebody
  // else has.
  [[nodiscard]] async::Task<Result<bool>> conclude(PaymentRow payment, AttemptRow attempt);
  // Notes that the answer was lost, and when to settle it. False: it is closed already.
  [[nodiscard]] async::Task<Result<bool>> lose(PaymentRow payment, AttemptRow attempt);
  // Takes an attempt back of which nothing reached the processor, with the payment that it began.
  [[nodiscard]] async::Task<Result<bool>> abandon(AttemptRow attempt);

  // Of this merchant: another's is not there.
  [[nodiscard]] async::Task<Result<std::optional<PaymentRow>>> payment(std::string merchant,
                                                                       std::string id);
  // At most `limit`, which is at most kPageSizeMax, of those after the payment `after` (empty: from
  // the newest).
  [[nodiscard]] async::Task<Result<PaymentPage>> page(std::string merchant, std::string after,
                                                      std::size_t limit = kPageSizeMax);
  [[nodiscard]] async::Task<Result<std::optional<AttemptRow>>> attempt(std::string merchant,
                                                                       std::string id);
  // Look-ups that are under way together share a statement.
  [[nodiscard]] async::Task<Result<std::optional<AttemptRow>>> attempt_by_key(std::string merchant,
                                                                              std::string key);

  // Open attempts whose time to be settled has come; at most kDueMax, the most overdue first.
  [[nodiscard]] async::Task<Result<std::vector<AttemptRow>>> due(std::int64_t now_us);
  // Takes a due attempt for `owner` until `until_us`. False: another instance has.
  [[nodiscard]] async::Task<Result<bool>> claim(const AttemptRow& attempt, std::string owner,
                                                std::int64_t until_us);
  [[nodiscard]] async::Task<Result<Unsettled>> unsettled();
  // Turns what an earlier run of `owner` left open into unknown, due at once; gives how many.
  [[nodiscard]] async::Task<Result<std::size_t>> lose_open(std::string owner, std::int64_t now_us);

 private:
  enum class Kind : std::uint8_t;
  // A row for each of the two statements of its kind.
  struct Change {
    Kind kind;
    std::string payment;  // the order in which batches take rows
    std::string attempt;
    storage::Row first;
    storage::Row second;
  };
  struct Key {
    std::string merchant;
    std::string key;
  };
  using Changes = async::Batcher<Change, bool>;
  using Known = std::optional<AttemptRow>;
  using Lookups = async::Batcher<Key, Known>;
  async::Task<std::vector<Result<bool>>> write(std::vector<Change> changes);
  async::Task<std::vector<Result<bool>>> write_apart(std::vector<Change> changes);
  async::Task<std::vector<Result<Known>>> look_up(std::vector<Key> keys);

  storage::Database& database_;
  Changes changes_;
  Lookups lookups_;
};

}  // namespace strongroom::connected::gateway

// Retention: how long a merchant's cards may be kept, as the operator has set it (PCI DSS 3.2.1).
// New cards get their end when they are added; RetentionJob gives it to those that were there
// before. PurgeJob erases what is over.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/result.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/card_store.h"
#include "crypto/random.h"

namespace strongroom::cde {

inline constexpr std::string_view kRetentionOperation = "retention";

struct Retention {
  std::map<std::string, std::chrono::days, std::less<>> of_merchant;
  std::optional<std::chrono::days> of_others;  // absent: without end

  [[nodiscard]] bool empty() const noexcept { return of_merchant.empty() && !of_others; }
  bool operator==(const Retention&) const = default;
  // When a card's time is over that is added at `created_at_us` and asked for until `asked_us`: the
  // earlier of both ends, in whole milliseconds.
  [[nodiscard]] std::optional<std::int64_t> end_of(std::string_view merchant,
                                                   std::int64_t created_at_us,
                                                   std::optional<std::int64_t> asked_us) const;
};

// Belongs to one Loop; its parts outlive it. Goes through all cards once at the start and once
// whenever the table changes, page by page; two on one database do no harm. A page that has cards
// to shorten is an intent and an outcome `token.update` in the operator's log, with their count.
class RetentionJob final {
 public:
  static constexpr std::int64_t kPage = 1000;
  static constexpr std::chrono::milliseconds kStep{20};  // between pages: payments come first
  static constexpr std::chrono::seconds kRest{5};        // after a failure

  struct Parts {
    async::Loop& loop;
    CardStore& cards;
    KeyRing& keys;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
  };
  RetentionJob(Parts parts, Retention retention)
      : parts_(parts), retention_(std::move(retention)) {}

  // Until it is through, or stop() was called.
  [[nodiscard]] async::Task<void> run();
  // Goes through all cards anew, under `retention`; what run() has begun stands.
  void set(Retention retention);
  void stop() noexcept { stopping_ = true; }
  // True while run() is at the database, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

  // The next page; false: there is none. Errors: those of the database, the HSM and the log, after
  // which the same page comes again.
  [[nodiscard]] async::Task<Result<bool>> step();
  [[nodiscard]] std::uint64_t shortened() const noexcept { return shortened_; }

 private:
  async::Task<Result<void>> learn_merchants();
  [[nodiscard]] std::vector<CardStore::Life> too_long(
      const std::vector<CardStore::Life>& page) const;
  async::Task<Result<void>> shorten(std::vector<CardStore::Life> cards);

  Parts parts_;
  Retention retention_;
  std::optional<Retention> next_;  // takes the place of that with the next step
  std::map<BlindIndex, std::chrono::days> of_merchant_;
  TokenId mark_{};
  std::uint64_t shortened_ = 0;
  bool begun_ = false;
  bool running_ = false;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde

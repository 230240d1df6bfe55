// ProbeGuard: keeps POST from giving card numbers back. Whoever knows a token's first and last
// digits could send every number between them until one is called a duplicate; each wrong one is a
// new card that looks like all the others once truncated. So new cards are counted per merchant,
// first and last digits, and above a limit that no shop reaches nothing is answered any more.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "cde/keys/key_ring.h"
#include "crypto/random.h"

namespace strongroom::cde {

// What all probes for one card have in common.
struct Truncation {
  std::string_view merchant;
  std::string_view bin;
  std::string_view last4;
};

// One per process, shared by its workers. Thread-safe. Counts in 4 MiB whatever comes: a count-min
// sketch (Cormode, Muthukrishnan 2005) under a key of its own. It never under-counts; it
// over-counts, as truncations share counters, by about the process's new cards of the hour /
// kCountersPerRow (at 10,000 a second, 34). A new process begins at zero, and two processes count
// for themselves.
class ProbeGuard final {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::hours kWindow{1};  // from the first card after the last one's end
  static constexpr std::size_t kCountersPerRow = std::size_t{1} << 20;
  static constexpr std::uint16_t kLimitMax = 60'000;

  // `limit`: new cards of one truncation in a window. `random` makes the key; 1..kLimitMax.
  ProbeGuard(crypto::Random& random, std::uint16_t limit);

 private:
  using Cells = std::array<std::size_t, 2>;  // one of each row
  struct UnderWay {
    Cells cells;
    std::size_t requests = 1;
    bool kept = false;
  };
  using UnderWayMap = std::map<Fingerprint, UnderWay>;

 public:
  // Place: a request's card, counted while it is under way, and for the window when it is kept.
  // Outlives no guard.
  class Place {
   public:
    Place(Place&& other) noexcept
        : guard_(std::exchange(other.guard_, nullptr)), card_(other.card_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (guard_ != nullptr) guard_->leave(card_);
    }
    // The card is new, or nobody knows: it stays counted.
    void keep() noexcept { guard_->keep(card_); }

   private:
    friend class ProbeGuard;
    Place(ProbeGuard& guard, UnderWayMap::iterator card) noexcept : guard_(&guard), card_(card) {}
    ProbeGuard* guard_;
    UnderWayMap::iterator card_;
  };

  // A place for `card`; requests with the same card share one. Else, the limit being reached, how
  // long until the window ends.
  [[nodiscard]] std::expected<Place, std::chrono::seconds> enter(const Truncation& truncation,
                                                                 const Fingerprint& card,
                                                                 TimePoint now);

 private:
  void keep(UnderWayMap::iterator card) noexcept;
  void leave(UnderWayMap::iterator card) noexcept;
  [[nodiscard]] Cells cells_of(const Truncation& truncation) const;
  void count(const Cells& cells) noexcept;
  void begin_window(TimePoint now);

  const std::uint16_t limit_;
  std::array<std::byte, 32> key_;
  std::mutex mutex_;
  std::vector<std::uint16_t> counters_;  // row after row
  TimePoint window_end_{};
  UnderWayMap under_way_;
};

}  // namespace strongroom::cde

// CvcHolder: where a card verification code waits for the one authorization that it was given for.
// Locked memory only; it is gone at the first of: used, token deleted, ten minutes (PCI
// DSS 3.3.1, 3.3.2).
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "cde/card/cvc.h"

namespace strongroom::cde {

// One per process, shared by its workers. Thread-safe. Time is the steady clock's: setting the
// system's clock lengthens nothing.
class CvcHolder final {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kHoldMax{10};
  static constexpr std::size_t kCodesMax = 100'000;
  // Longer than a request runs, so that none holds a code for a token that was dropped under it.
  static constexpr std::chrono::minutes kDropsKnown{1};
  static constexpr std::size_t kDropsMax = 100'000;

  // Holds `cvc` for `token` from `now` on; an earlier one is dropped. `begun`: when the request
  // began that found the token alive. gone: the token was dropped since, or so long has passed, or
  // so many were dropped, that nobody knows. exhausted: kCodesMax are held.
  [[nodiscard]] Result<void> hold(TokenId token, Cvc cvc, TimePoint begun, TimePoint now);
  // The code of `token`, which is then no longer here; none when there is none, or its time is
  // over.
  [[nodiscard]] std::optional<Cvc> take(TokenId token, TimePoint now);
  // True while take() would give one.
  [[nodiscard]] bool holds(TokenId token, TimePoint now) const;
  // Forgets the code of `token`, if there is one, and takes none from requests that run already.
  void drop(TokenId token, TimePoint now);
  // Forgets every code whose time is over; called every second.
  void sweep(TimePoint now);
  [[nodiscard]] std::size_t count() const;
  // Up to `count_max` tokens whose codes are held, in their order, after `mark`.
  [[nodiscard]] std::vector<TokenId> tokens(TokenId mark, std::size_t count_max) const;

 private:
  struct Held {
    Cvc cvc;
    TimePoint until;
  };
  mutable std::mutex mutex_;
  std::map<TokenId, Held> held_;
  std::map<TokenId, TimePoint> drops_;
  TimePoint drops_known_since_ = TimePoint::min();
};

}  // namespace strongroom::cde

// CvcHolder: where a card verification code waits for the one authorization that it was given for.
// Locked memory only; it is gone at the first of: used, token deleted, ten minutes (PCI
// DSS 3.3.1, 3.3.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/id.h"
#include "base/result.h"
#include "cde/card/cvc.h"

namespace strongroom::cde {

// One per process, shared by its workers. Thread-safe.
class CvcHolder final {
 public:
  static constexpr std::int64_t kHoldUsMax = 10LL * 60 * 1'000'000;
  static constexpr std::size_t kCodesMax = 100'000;

  // Holds `cvc` for `token` from now on; an earlier one is dropped. exhausted: kCodesMax are held.
  [[nodiscard]] Result<void> hold(TokenId token, Cvc cvc, std::int64_t now_us);
  // Forgets the code of `token`, if there is one.
  void drop(TokenId token);
  // Forgets every code whose time is over; called every second.
  void sweep(std::int64_t now_us);
  [[nodiscard]] std::size_t count() const;

 private:
  struct Held {
    Cvc cvc;
    std::int64_t until_us;
  };
  mutable std::mutex mutex_;
  std::map<TokenId, Held> held_;
};

}  // namespace strongroom::cde

// TicketSource: the ticket that vaultd asks for, got from authd for the API key and got again
// before it dies.
#pragma once

#include <chrono>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "http/client.h"
#include "loadgen/arrivals.h"

namespace strongroom::bench {

class TicketSource {
 public:
  static constexpr std::chrono::seconds kRenewAfter{30};  // a ticket lives for 60 s

  // `authd` outlives this; `authorization` is the API key as an Authorization field.
  TicketSource(http::Client& authd, std::string authorization)
      : authd_(authd), authorization_(std::move(authorization)) {}

  // True when the caller must renew() first. While one does, the others use the old ticket.
  [[nodiscard]] bool is_due(SteadyTime now) const noexcept {
    return !renewing_ && now >= renew_at_;
  }
  // permission_denied: authd gives none for this key; else what http::Client::send says. The old
  // ticket stays on failure, and the next renewal is due in a second.
  [[nodiscard]] async::Task<Result<void>> renew();
  // Empty before the first renew().
  [[nodiscard]] const std::string& current() const noexcept { return ticket_; }

 private:
  http::Client& authd_;
  std::string authorization_;
  std::string ticket_;
  SteadyTime renew_at_{};
  bool renewing_ = false;
};

}  // namespace strongroom::bench

// TicketOffice: an API key in, a ticket for one minute out.
#pragma once

#include <string>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log_recurring.h"
#include "base/metrics.h"
#include "connected/auth/authority.h"
#include "connected/auth/directory.h"
#include "http/ticket.h"

namespace strongroom::connected::auth {

inline constexpr std::int64_t kTicketLifetimeS = 60;
inline constexpr std::int64_t kLastUsedStepUs = 3'600'000'000;  // how coarse last_used_at is

// What /metrics tells of it.
struct TicketCounters {
  Counter& issued;
  Counter& refused;  // api_key_invalid
};

struct IssuedTicket {
  std::string text;      // a compact JWS
  std::string merchant;  // that it is for; empty for platform roles without a merchant
};

// Belongs to one Loop. Keeps no keys in memory: a revoked key gets no ticket from the moment its
// revocation is committed, whichever authd did it.
class TicketOffice {
 public:
  // Everything borrowed outlives the office.
  struct Parts {
    Directory& directory;
    const http::TicketSigner& signer;
    const Clock& clock;
    Profile profile;
    TicketCounters counters;
  };
  explicit TicketOffice(Parts parts) noexcept : parts_(parts) {}

  // The ticket for the credential in an Authorization field. Problems:
  // api_key_invalid (missing, malformed, unknown, revoked or of a suspended merchant: which of
  // these is nobody's business), database_unavailable.
  [[nodiscard]] async::Task<Answer<IssuedTicket>> issue(std::string_view authorization);

 private:
  std::unexpected<wire::Problem> refuse();
  async::Task<void> note_use(const ApiKey& key, std::int64_t now_us);

  Parts parts_;
  log::Recurring not_noted_{"use of a key not noted"};
};

}  // namespace strongroom::connected::auth

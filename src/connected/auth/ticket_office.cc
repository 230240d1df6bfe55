// Authentication by API key.
#include "connected/auth/ticket_office.h"

#include <utility>

#include "connected/auth/api_key.h"

namespace strongroom::connected::auth {

async::Task<Answer<IssuedTicket>> TicketOffice::issue(std::string_view authorization) {
  const auto hash = hash_key_text(bearer_key(authorization), parts_.profile);
  if (!hash) co_return refuse();
  const auto found = co_await parts_.directory.key_by_hash(*hash);
  if (!found) {
    co_return std::unexpected(wire::Problem{.type = wire::ProblemType::database_unavailable});
  }
  if (!found->has_value()) co_return refuse();
  const ApiKey& key = **found;
  const std::int64_t now_us = parts_.clock.now_us();
  const auto granted = scopes(key.role);
  http::Ticket ticket{.subject = key.id,
                      .merchant = key.merchant,
                      .role = std::string(name(key.role)),
                      .scopes = {granted.begin(), granted.end()},
                      .mfa = false,
                      .issued_at_s = now_us / 1'000'000,
                      .expires_at_s = now_us / 1'000'000 + kTicketLifetimeS};
  auto text = parts_.signer.sign(ticket);
  if (!text) co_return std::unexpected(wire::problem_of(text.error()));
  parts_.counters.issued.add();
  co_await note_use(key, now_us);
  co_return IssuedTicket{*std::move(text), key.merchant};
}

std::unexpected<wire::Problem> TicketOffice::refuse() {
  parts_.counters.refused.add();
  return std::unexpected(wire::Problem{.type = wire::ProblemType::api_key_invalid});
}

// So coarse that a busy key costs one write per hour. A failure harms nobody.
async::Task<void> TicketOffice::note_use(const ApiKey& key, std::int64_t now_us) {
  if (key.last_used_at_us && now_us - *key.last_used_at_us < kLastUsedStepUs) co_return;
  const Result<void> noted = co_await parts_.directory.touch_key(key.id, now_us);
  if (!noted) not_noted_.warn({{"key", key.id}, {"error", noted.error()}});
}

}  // namespace strongroom::connected::auth

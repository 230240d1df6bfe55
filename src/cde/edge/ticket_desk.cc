// Asking authd, once per credential and second.
#include "cde/edge/ticket_desk.h"

#include <algorithm>
#include <utility>

#include "base/pan_scan.h"

namespace strongroom::cde {
namespace {

using wire::Problem;
using wire::ProblemType;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kAuthorizationBytesMax = 256;
constexpr std::string_view kScheme = "bearer ";
constexpr Problem kNoKey{ProblemType::api_key_invalid,
                         "send `Authorization: Bearer` with an API key"};
constexpr Problem kBadKey{ProblemType::api_key_invalid, "this API key is unknown or revoked"};
constexpr Problem kNoAnswer{
    ProblemType::service_unavailable, "API keys cannot be checked now", {}, 1};

// The scheme in any case (RFC 9110 section 11.1), and no longer than a key is.
bool may_hold_key(std::string_view authorization) noexcept {
  const auto same = [](char sent, char wanted) {
    return (sent >= 'A' && sent <= 'Z' ? sent - 'A' + 'a' : sent) == wanted;
  };
  return authorization.size() > kScheme.size() && authorization.size() <= kAuthorizationBytesMax &&
         std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, same);
}

}  // namespace

// Waits for the answer to a question that another request has asked.
struct TicketDesk::Told {
  Entry& entry;
  Answer& told;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { entry.waiting.push_back({waiter, &told}); }
  void await_resume() const noexcept {}
};

async::Task<TicketDesk::Answer> TicketDesk::ticket(std::string_view authorization,
                                                   std::string_view source,
                                                   std::string_view request_id) {
  if (!may_hold_key(authorization)) co_return co_await refuse(kNoKey, source, request_id);
  // authd is outside of the CDE: a card number does not get there as a credential either.
  if (looks_like_pan(authorization)) co_return co_await refuse(kBadKey, source, request_id);
  const http::CredentialDigest key = http::credential_digest(authorization);
  if (const auto known = entries_.find(key); known != entries_.end()) {
    Entry& entry = known->second;
    if (!entry.answer) {
      Answer told = std::unexpected(kNoAnswer);
      co_await Told{entry, told};
      co_return told;
    }
    if (Clock::now() < entry.until) co_return *entry.answer;
    entry.answer.reset();
  } else {
    make_room(Clock::now());
    entries_.try_emplace(key);
  }
  Entry& entry = entries_.find(key)->second;
  // Counted from before the question: the key may be revoked right after authd looked.
  entry.until = Clock::now() + kKeepMax;
  Answer answer = co_await ask(authorization, source, request_id);
  if (!answer) entry.until = {};  // a refusal is not kept: a new key works at once
  entry.answer = answer;
  // Everyone is told before anyone goes on: who goes on may make room and drop this entry.
  const std::vector<Waiter> waiters = std::exchange(entry.waiting, {});
  for (const Waiter& waiter : waiters) *waiter.told = answer;
  for (const Waiter& waiter : waiters) waiter.handle.resume();
  co_return answer;
}

// authd hears of every refusal: it writes the entry, or bounds them per source (PCI DSS 10.2.1.4).
async::Task<TicketDesk::Answer> TicketDesk::refuse(wire::Problem problem, std::string_view source,
                                                   std::string_view request_id) {
  const Answer answer = co_await ask({}, source, request_id);
  const bool logged = !answer && answer.error().type == ProblemType::api_key_invalid;
  co_return std::unexpected(logged ? problem : kNoAnswer);
}

async::Task<TicketDesk::Answer> TicketDesk::ask(std::string_view authorization,
                                                std::string_view source,
                                                std::string_view request_id) {
  http::ClientRequest request{.method = http::Method::post, .target = "/v1/tickets"};
  if (!authorization.empty()) {
    request.headers.emplace_back("Authorization", std::string(authorization));
  }
  request.headers.emplace_back("Strongroom-Source", std::string(source));
  request.headers.emplace_back("Strongroom-Request-Id", std::string(request_id));
  Result<http::ClientResponse> response = co_await authd_.send(request);
  if (!response) co_return std::unexpected(kNoAnswer);
  if (response->status == 200) {
    std::string merchant(response->header("strongroom-merchant"));
    co_return Ticket{std::move(response->body), std::move(merchant)};
  }
  co_return std::unexpected(response->status == 401 ? kBadKey : kNoAnswer);
}

// Drops what is over; when everything is young, the desk starts over with an empty book.
void TicketDesk::make_room(Clock::time_point now) {
  if (entries_.size() < kTicketsMax) return;
  std::erase_if(entries_,
                [now](const auto& item) { return item.second.answer && item.second.until <= now; });
  if (entries_.size() < kTicketsMax) return;
  std::erase_if(entries_, [](const auto& item) { return item.second.answer.has_value(); });
}

}  // namespace strongroom::cde

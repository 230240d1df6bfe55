// TicketDesk: turns a client's credential into a ticket. Asks authd, keeps the answer for at most
// one second, so that a revoked key dies within a second, and asks once for all who wait meanwhile.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "http/client.h"
#include "http/ticket.h"
#include "wire/problem.h"

namespace strongroom::cde {

// Belongs to one Loop. Keeps hashes of credentials, never a credential.
class TicketDesk final {
 public:
  static constexpr std::chrono::milliseconds kKeepMax{1000};
  static constexpr std::size_t kTicketsMax = 4096;

  // `authd` outlives the desk.
  explicit TicketDesk(http::Client& authd) : authd_(authd) {}

  struct Ticket {
    std::string text;
    std::string merchant;  // that it is for, as authd says; empty: none, it is of the platform
  };
  using Answer = std::expected<Ticket, wire::Problem>;
  // The ticket for `authorization`, the value of that header; `source` is the client's address.
  // api_key_invalid (authd has logged it), service_unavailable (authd does not answer).
  [[nodiscard]] async::Task<Answer> ticket(std::string_view authorization, std::string_view source,
                                           std::string_view request_id);

 private:
  struct Waiter {
    std::coroutine_handle<> handle;
    Answer* told;
  };
  struct Entry {
    std::optional<Answer> answer;  // none: authd is being asked
    std::chrono::steady_clock::time_point until{};
    std::vector<Waiter> waiting;
  };
  struct Told;
  async::Task<Answer> refuse(wire::Problem problem, std::string_view source,
                             std::string_view request_id);
  async::Task<Answer> ask(std::string_view authorization, std::string_view source,
                          std::string_view request_id);
  void make_room(std::chrono::steady_clock::time_point now);

  http::Client& authd_;
  std::map<http::CredentialDigest, Entry> entries_;
};

}  // namespace strongroom::cde

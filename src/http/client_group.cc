// Asking one after the other.
#include "http/client_group.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/rendezvous.h"

namespace strongroom::http {

ClientGroup::ClientGroup(Members members) {
  names_.reserve(members.size());
  for (auto& [name, client] : members) {
    names_.push_back(name);
    members_.emplace(name, Member{.client = std::move(client)});
  }
}

std::vector<ClientGroup::Member*> ClientGroup::order(std::string_view key) {
  std::vector<Member*> order;
  order.reserve(names_.size());
  const auto now = SteadyClock::now();
  const auto names = rendezvous_order(names_, key);
  for (const bool resting : {false, true}) {
    for (const std::string& name : names) {
      Member& member = members_.at(name);
      if ((member.rests_until > now) == resting) order.push_back(&member);
    }
  }
  return order;
}

async::Task<Result<ClientResponse>> ClientGroup::send(std::string_view key,
                                                      const ClientRequest& request) {
  std::optional<Error> refusal;
  for (Member* member : order(key)) {
    Result<ClientResponse> response = co_await member->client->send(request);
    if (response) co_return response;
    const Error& error = response.error();
    if (error.code() == ErrorCode::unavailable) {
      member->rests_until = SteadyClock::now() + kRest;
      refusal = error;
    } else if (error.code() == ErrorCode::exhausted) {
      // A place may be free the next moment, so it does not rest.
      if (!refusal) refusal = error;
    } else {
      co_return response;
    }
  }
  co_return fail(refusal.value_or(Error{ErrorCode::unavailable, "no instance to ask"}));
}

void ClientGroup::set_tls(const std::shared_ptr<const TlsContext>& tls) {
  for (auto& [name, member] : members_) member.client->set_tls(tls);
}

async::Task<void> ClientGroup::close() {
  for (auto& [name, member] : members_) co_await member.client->close();
}

}  // namespace strongroom::http

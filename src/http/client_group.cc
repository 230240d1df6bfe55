// Asking one after the other.
#include "http/client_group.h"

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
  Result<ClientResponse> response = fail({ErrorCode::unavailable, "no instance to ask"});
  for (Member* member : order(key)) {
    response = co_await member->client->send(request);
    if (response || response.error().code() != ErrorCode::unavailable) break;
    member->rests_until = SteadyClock::now() + kRest;
  }
  co_return response;
}

void ClientGroup::set_tls(const std::shared_ptr<const TlsContext>& tls) {
  for (auto& [name, member] : members_) member.client->set_tls(tls);
}

async::Task<void> ClientGroup::close() {
  for (auto& [name, member] : members_) co_await member.client->close();
}

}  // namespace strongroom::http

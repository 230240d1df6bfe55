// ClientGroup: the way to several instances that do the same work on the same database, of which
// each thing has one that is asked first.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "http/client.h"

namespace strongroom::http {

// Belongs to the Loop of its clients, on whose thread it is used.
class ClientGroup {
 public:
  using Members = std::map<std::string, std::unique_ptr<Client>>;  // by name
  // One that was not reached is asked last for so long, so that not each request waits for it.
  static constexpr std::chrono::seconds kRest{1};

  explicit ClientGroup(Members members);

  // Sends `request` to the member that rendezvous_order names for `key`; to the next one where that
  // was not reached or had no place for it, so that it cannot have acted. Errors are Client's:
  // exhausted where none has a place, unavailable where one of those without was not reached.
  [[nodiscard]] async::Task<Result<ClientResponse>> send(std::string_view key,
                                                         const ClientRequest& request);
  void set_tls(const std::shared_ptr<const TlsContext>& tls);
  [[nodiscard]] async::Task<void> close();

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Member {
    std::unique_ptr<Client> client;
    SteadyClock::time_point rests_until{};
  };
  std::vector<Member*> order(std::string_view key);

  std::map<std::string, Member> members_;
  std::vector<std::string> names_;
};

}  // namespace strongroom::http
